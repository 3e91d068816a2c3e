"""One row of the study: a family built, opened, asked at every effort and put to its trials."""

import argparse
import shutil
import statistics
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from engine_process import EngineProcess
from families import Family, Rows
from study_results import Row, first_reaching
from truth import recall

K = 10
TRIED = 20  # queries that show how long one takes
LEAST = 50  # are asked however slow they are: recall is then good to 0.01
TRIAL_RECALL = 0.95  # trials run at the fastest effort that reaches it


def base_of(vectors: Path, n: int, dimension: int) -> Path:
    """The file of `vectors.py`."""
    return vectors / f"base-{n}-{dimension}.f16"


class Subject:
    """One family at one size: starts its processes over the same files."""

    def __init__(self, family: Family, n: int, dimension: int, given: argparse.Namespace) -> None:
        self.family, self._given, self._dimension = family, given, dimension
        self.base = base_of(given.vectors, n, dimension)
        self.index = given.work / f"{family.name}-{n}-{dimension}.index"

    def start(self) -> EngineProcess:
        """A process that nothing was asked of yet."""
        limits = ["--threads", self._given.threads, "--memory-mib", self._given.memory_mib]
        names = (self.family.name, self.index, self.base, self._dimension)
        return EngineProcess(self.family.name, "studied.py", *names, *limits)

    def opened(self) -> tuple[EngineProcess, Row]:
        """A process with the index open and queries at hand; how long opening took."""
        child = self.start()
        file = self._given.vectors / f"queries-{self._dimension}.npy"
        try:
            told = child.ask("open")
            child.ask("queries", file=str(file), count=self._given.queries)
        except RuntimeError:
            child.close()
            raise
        return child, told

    def clear(self) -> None:
        """Delete what was built."""
        self.index.unlink(missing_ok=True)
        shutil.rmtree(self.index.with_suffix(".collection"), ignore_errors=True)


def measure(subject: Subject, truth: Any, given: argparse.Namespace) -> Row:
    """All figures of a family; "error" beside those it got to where something fails."""
    row: Row = {}
    try:
        with closing(subject.start()) as child:
            row |= child.ask("build")
        child, told = subject.opened()
        with closing(child):
            row |= told
            efforts = child.ask("efforts")["efforts"]
            row["points"] = [measure_effort(child, effort, truth, given) for effort in efforts]
            row |= child.ask("memory")
        row |= try_all(subject, row["points"])
    except RuntimeError as error:
        row["error"] = str(error)
    return row


def measure_effort(child: EngineProcess, effort: Any, truth: Any, given: argparse.Namespace) -> Row:
    """Recall and speed; of slow searches fewer are timed, and those are what recall is of."""
    tried = child.ask("search", k=K, effort=effort, count=TRIED)
    affordable = int(given.seconds * 1000 / statistics.median(tried["ms"]))
    count = min(max(affordable, LEAST), len(truth))
    rounds = []
    for _ in range(given.rounds):
        one = child.ask("search", k=K, effort=effort, count=count)
        two = child.ask("search", k=K, effort=effort, count=count, clients=2, found=False)
        rounds.append((one, two))
    return {
        "effort": effort,
        "queries": count,
        "recall": recall(rounds[0][0]["ids"], truth[:count]),
        "p50_ms": statistics.median(statistics.median(one["ms"]) for one, _ in rounds),
        "p99_ms": statistics.median(float(np.quantile(one["ms"], 0.99)) for one, _ in rounds),
        "qps_1": statistics.median(one["queries_per_s"] for one, _ in rounds),
        "qps_2": statistics.median(two["queries_per_s"] for _, two in rounds),
    }


def try_all(subject: Subject, points: list[Row]) -> Row:
    """What the family may refuse, each with its figures or the reason; see `trials.py`.

    Each has a process of its own, as one changes what the next would find, or may end it.
    """
    fast, most = (
        (first_reaching(points, TRIAL_RECALL) or points[-1])["effort"],
        points[-1]["effort"],
    )
    trials = [("select", "select", fast), ("select_most", "select", most)]
    trials += [("add", "add", fast), ("remove", "remove", fast)]
    if subject.family.rows is not Rows.OWN:
        trials.append(("read", "read", fast))
    answers: Row = {"trials_at": fast}
    for name, what, effort in trials:
        child, _ = subject.opened()
        with closing(child):
            try:
                answers[name] = child.ask("trial", what=what, effort=effort)
            except RuntimeError as error:
                answers[name] = {"error": str(error)}
    return answers
