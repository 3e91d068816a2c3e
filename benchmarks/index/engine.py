"""What every engine of the comparison is asked, and how it is measured, in its own process."""

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np


class Engine:
    """One way of searching; `serve` answers a driver's commands with it."""

    name = ""

    def build(self) -> dict[str, Any]:
        """Make the index on disk; what there is to tell of it."""
        raise NotImplementedError

    def open(self) -> None:
        """Open what `build` made, as a service would at its start."""
        raise NotImplementedError

    def search(self, query: Any, k: int, effort: Any = None) -> list[int]:
        """Row numbers of the k nearest to one query, shape (dimension,)."""
        raise NotImplementedError

    def efforts(self) -> list[Any]:
        """Settings to try, cheapest first; an engine that chooses for itself has one."""
        return [None]

    def disk_bytes(self) -> int:
        """Of the index with what it needs to answer."""
        raise NotImplementedError

    def on_stage(self, stage: str, done: float) -> None:
        """Progress of a long build, for whoever looks on."""
        sys.stderr.write(f"\r{self.name}: {stage} {done:.0%}   ")


def anonymous_mib() -> float:
    """Memory of this process that no file backs: what cannot be given back without swap."""
    return memory_mib("RssAnon")


def memory_mib(kind: str) -> float:
    """A line of /proc/self/status: RssAnon, or RssFile for pages of mapped files in use."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) / 1024
    raise OSError(f"no {kind} in /proc/self/status")


def serve(engine: Engine) -> None:
    """Answer JSON commands on stdin until it closes."""
    start_mib = anonymous_mib()
    queries: Any = None
    for line in sys.stdin:
        command = json.loads(line)
        match command.pop("do"):
            case "build":
                started = time.perf_counter()
                answer = engine.build()
                answer["build_s"] = time.perf_counter() - started
                peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
                own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                answer["build_peak_mib"] = max(peak, own) / 1024
            case "open":
                import_time = time.perf_counter()
                engine.open()
                answer = {"open_s": time.perf_counter() - import_time}
            case "queries":
                queries = np.load(command["file"])[: command["count"]].astype(np.float32)
                answer = {}
            case "efforts":
                answer = {"efforts": engine.efforts()}
            case "search":
                answer = _search(engine, queries, **command)
            case "memory":
                answer = {
                    "ram_mib": anonymous_mib() - start_mib,
                    "mapped_mib": memory_mib("RssFile"),
                    "disk_mib": engine.disk_bytes() / 2**20,
                }
            case other:
                raise ValueError(other)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _search(
    engine: Engine, queries: Any, k: int, effort: Any = None, clients: int = 1, found: bool = True
) -> dict[str, Any]:
    """Each query alone, `clients` at a time; times in ms, in the order of the queries."""

    def one(query: Any) -> tuple[float, list[int]]:
        started = time.perf_counter()
        ids = engine.search(query, k, effort)
        return (time.perf_counter() - started) * 1000, ids

    one(queries[0])
    started = time.perf_counter()
    if clients == 1:
        answers = [one(query) for query in queries]
    else:
        with ThreadPoolExecutor(clients) as pool:
            answers = list(pool.map(one, queries))
    seconds = time.perf_counter() - started
    answer: dict[str, Any] = {
        "ms": [ms for ms, _ in answers],
        "queries_per_s": len(queries) / seconds,
    }
    if found:
        answer["ids"] = [ids for _, ids in answers]
    return answer
