"""One evaluation from beginning to end: lanes prepared one by one, then timed in turns.

Each step runs in a process of its own, so that peaks are a mode's own and one that dies leaves the
others alone. In every round all cells are visited once, in an order drawn anew.
"""

import json
import random
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.evaluation.apart import Reply, ask_apart
from app.evaluation.lanes.lane import Lane
from app.evaluation.lanes.prepare import Prepare
from app.evaluation.lanes.timing import Visit
from app.evaluation.results import NotRun
from app.search.query import Mode as Way
from indexer.types import Scan

ROUNDS = 5  # block bootstraps of fewer say nothing
SEED = 20_261_125
_ASKED = 400  # queries of a round; asked again where they run out
_PREPARE, _TIME = "app.evaluation.lanes.prepare", "app.evaluation.lanes.timing"

OnStep = Callable[[str, str], None]  # lane or cell, what is being done


@dataclass(frozen=True, slots=True)
class Task:
    """What to evaluate and how."""

    lanes: tuple[Lane, ...]
    kinds: tuple[Scan, ...]
    ways: tuple[Way, ...]
    corpus: Path | None
    queries: Mapping[str, str]  # {query id: text}
    themselves: Set[str]  # queries that are the document of the same id
    whole_documents: bool
    work: Path  # folder for collections, kept for the next time, and rankings
    own: Path | None = None  # folder of the user's collection, instead of a corpus
    flags: Mapping[str, Any] = field(default_factory=dict)  # settings of the command line
    rounds: int = ROUNDS  # 0: only quality
    seconds: float = 1.5  # of each kind of call in a round

    @property
    def timed_way(self) -> Way:
        """How the timed searches search: as the product does, if that is among the ways."""
        return Way.HYBRID if Way.HYBRID in self.ways else self.ways[0]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A lane that ran, with what its process said."""

    lane: Lane
    values: dict[str, Any]
    output: Path  # its rankings and vectors
    folder: Path  # its collection
    reply: Reply


@dataclass(slots=True)
class Gathered:
    """Everything that the processes said."""

    prepared: list[Prepared] = field(default_factory=list)
    not_run: list[NotRun] = field(default_factory=list)
    visits: dict[tuple[Lane, Scan], list[Reply]] = field(default_factory=dict)  # one a round
    problems: list[str] = field(default_factory=list)


def gather(task: Task, on_step: OnStep) -> Gathered:
    """Run every process there is to run."""
    gathered = Gathered()
    task.work.mkdir(parents=True, exist_ok=True)
    queries = task.work / "queries.json"
    queries.write_text(json.dumps(dict(task.queries)), "utf-8")
    for lane in task.lanes:
        _prepare(task, lane, queries, gathered, on_step)
    _time_all(task, gathered, on_step)
    return gathered


def _prepare(task: Task, lane: Lane, queries: Path, gathered: Gathered, on_step: OnStep) -> None:
    name = _folder_name(lane, whole=task.whole_documents)
    job = Prepare(
        lane=lane,
        flags=dict(task.flags),
        folder=task.own or task.work / "collections" / name,
        corpus=task.corpus,
        queries=queries,
        output=task.work / "rankings" / name,
        whole_documents=task.whole_documents,
        kinds=task.kinds,
        ways=task.ways,
    )
    reply = ask_apart(_PREPARE, job.to_job(), lambda step: on_step(lane.label, step))
    if reply.failure:
        gathered.not_run.append(NotRun(label=lane.label, reason=reply.failure, tried=True))
        return
    gathered.prepared.append(Prepared(lane, reply.values, job.output, job.folder, reply))


def _folder_name(lane: Lane, *, whole: bool) -> str:
    """Different for every contract and mode; safe on every file system."""
    model = "".join(c if c.isalnum() or c in "-." else "_" for c in lane.model)[-80:]
    parts = (model.lstrip("."), str(lane.dimension or "full"), *str(lane.mode).split(":"))
    return "-".join((*parts, "whole" if whole else "chunked"))


def _time_all(task: Task, gathered: Gathered, on_step: OnStep) -> None:
    """Rounds in which every cell is visited once; a cell that fails is not visited again."""
    cells = [(done, kind) for done in gathered.prepared for kind in task.kinds]
    draw = random.Random(SEED)  # noqa: S311 - an order, no secret
    failed: set[tuple[Lane, Scan]] = set()
    for number in range(1, task.rounds + 1):
        queries = list(task.queries.values())
        draw.shuffle(queries)
        draw.shuffle(cells)
        for done, kind in cells:
            cell = done.lane, kind
            if cell in failed:
                continue
            reply = _visit(task, done, kind, tuple(queries[:_ASKED]), number, on_step)
            if reply.failure:
                failed.add(cell)
                gathered.problems.append(f"{done.lane.label} {kind} was not timed: {reply.failure}")
                gathered.visits.pop(cell, None)
            else:
                gathered.visits.setdefault(cell, []).append(reply)


def _visit(
    task: Task, done: Prepared, kind: Scan, queries: tuple[str, ...], number: int, on_step: OnStep
) -> Reply:
    visit = Visit(
        lane=done.lane,
        flags=dict(task.flags),
        folder=done.folder,
        kind=kind,
        way=task.timed_way,
        queries=queries,
        seconds=task.seconds,
    )
    label = f"round {number} of {task.rounds}, {done.lane.label} {kind}"
    return ask_apart(_TIME, visit.to_job(), lambda step: on_step(label, step))
