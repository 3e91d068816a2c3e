"""The parent's side of the variants: processes that live side by side and take turns."""

import base64
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from workloads import Workload

CHILD = Path(__file__).resolve().parent / "child.py"
ROOT = CHILD.parents[2]
# Every library's own switch for the number of threads.
_SWITCHES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")


class Failed(Exception):
    """A variant that cannot be loaded or run."""


@dataclass
class Result:
    """What one variant gave."""

    load_s: float = 0.0
    first_load_s: float | None = None  # with what is prepared once per model
    peak_rss_mib: float = 0.0
    rounds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    vectors: dict[str, Any] = field(default_factory=dict)  # of the warm-up
    operators_s: dict[str, float] = field(default_factory=dict)  # of indexing, if profiled
    profiled_limits: dict[str, float] = field(default_factory=dict)  # of that moment, by kind
    error: str | None = None


class Process:
    """A variant that is loaded and waits for its turn."""

    def __init__(
        self, name: str, model: Path, threads: int, cache: Path, python: str = sys.executable
    ) -> None:
        # Another interpreter has its own packages, and must not see this one's.
        path = {"PYTHONPATH": str(ROOT)} if python == sys.executable else {}
        self._process = subprocess.Popen(
            [python, str(CHILD), name, str(model), str(threads), str(cache)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **path, **dict.fromkeys(_SWITCHES, str(threads))},
        )
        try:
            self.load_s: float = self._read()["load_s"]
        except Failed:
            self.close()
            raise

    def ask(self, **command: Any) -> dict[str, Any]:
        """The child's answer.

        Raises:
            Failed: it answered with an error, or died.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its exit code says more
        return self._read()

    def run(self, workload: Workload) -> tuple[list[float], Any]:
        """(seconds of each call, vectors)."""
        found = self.ask(
            do="embed", texts=workload.texts, query=workload.query, repeats=workload.repeats
        )
        raw = np.frombuffer(base64.b64decode(found["vectors"]), dtype="<f4")
        return found["seconds"], raw.reshape(found["shape"])

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"its process ended with code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer


def take_turns(
    processes: Mapping[str, Process],
    results: Mapping[str, Result],
    loads: Sequence[Workload],
    only: Mapping[str, frozenset[str]],
    rounds: int,
) -> list[dict[str, dict[str, float]]]:
    """Every variant on every workload, round after round; the machine's limits of each round.

    The clock of a shared machine drifts over minutes: only times of one round are compared, and
    each round begins with another variant.

    Args:
        processes: loaded; "limits" measures the machine.
        results: filled in.
        loads: the workloads.
        only: workloads of variants that do not run all.
        rounds: after one warm-up round of small workloads.
    """
    names = [name for name in processes if name != "limits"]
    small = [load for load in loads if load.name != "indexing"]
    for name in names:
        for load in small:
            if load.name in only.get(name, {load.name}):
                _turn(processes[name], results[name], load, keep=False)
    measured = []
    for number in range(rounds):
        measured.append(processes["limits"].ask(do="limits")["peaks"])
        for load in loads:
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                if load.name in only.get(name, {load.name}) and results[name].error is None:
                    print(f"round {number + 1} of {rounds}: {load.name}: {name}", file=sys.stderr)
                    _turn(processes[name], results[name], load, keep=True)
    return measured


def _turn(process: Process, result: Result, load: Workload, *, keep: bool) -> None:
    try:
        seconds, vectors = process.run(load)
    except Failed as failure:
        result.error = str(failure)
        return
    if keep:
        result.rounds[load.name].append(float(np.median(seconds)))
    else:
        result.vectors[load.name] = vectors
