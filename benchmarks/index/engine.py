"""What every engine of the comparison is asked, and how it is measured, in its own process."""

import json
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

_ADD = 20_000


class Engine:
    """One way of searching; `serve` answers a driver's commands with it."""

    name = ""

    def build(self) -> dict[str, Any]:
        """Make the index on disk; what there is to tell of it."""
        raise NotImplementedError

    def open(self) -> None:
        """Open what `build` made, as a service would at its start."""
        raise NotImplementedError

    def enter_thread(self) -> None:
        """On each thread that is going to search: for settings that hold for one thread only."""

    def search(self, query: Any, k: int, effort: Any = None) -> list[int]:
        """Row numbers of the k nearest to one query, shape (dimension,)."""
        raise NotImplementedError

    def efforts(self) -> list[Any]:
        """Settings to try, cheapest first; an engine that chooses for itself has one."""
        return [None]

    def trial(self, what: str, queries: Any, effort: Any) -> dict[str, Any]:
        """Something that not every engine can do, done; raises what the engine raises."""
        raise NotImplementedError(what)

    def disk_bytes(self) -> int:
        """Of the index with what it needs to answer."""
        raise NotImplementedError

    def on_stage(self, stage: str, done: float) -> None:
        """Progress of a long build, for whoever looks on."""
        sys.stderr.write(f"\r{self.name}: {stage} {done:.0%}   ")


class Peer(Engine):
    """An engine over a file of its own."""

    def __init__(self, path: Path, rows: Path, dimension: int, threads: int) -> None:
        self._path, self._dimension, self._threads = path, dimension, threads
        self._base = np.memmap(rows, "<f2", "r").reshape(-1, dimension)
        self._index: Any = None

    def blocks(self) -> Iterator[tuple[int, Any]]:
        """(first row number, float32 rows) block by block."""
        for start in range(0, len(self._base), _ADD):
            self.on_stage("adding", start / len(self._base))
            yield start, self._base[start : start + _ADD].astype(np.float32)

    def disk_bytes(self) -> int:
        """Of its files, and of the vectors it needs beside them."""
        if self._path.is_dir():
            return sum(path.stat().st_size for path in self._path.iterdir())
        return self._path.stat().st_size


def anonymous_mib() -> float:
    """Memory of this process that no file backs: what cannot be given back without swap."""
    return memory_mib("RssAnon")


def memory_mib(kind: str) -> float:
    """A line of /proc/self/status: RssAnon, RssFile for pages of mapped files in use, VmHWM."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) / 1024
    raise OSError(f"no {kind} in /proc/self/status")


def times_ms(call: Callable[[Any], Any], arguments: Any) -> dict[str, float]:
    """Median and 99th percentile of the call with each argument, after one to warm up."""
    call(arguments[0])
    times = []
    for argument in arguments:
        started = time.perf_counter()
        call(argument)
        times.append((time.perf_counter() - started) * 1000)
    return {"p50_ms": statistics.median(times), "p99_ms": float(np.quantile(times, 0.99))}


def serve(engine: Engine) -> None:
    """Answer JSON commands on stdin until it closes; what goes wrong is an answer too."""
    session = _Session(engine)
    for line in sys.stdin:
        try:
            answer = session.answer(**json.loads(line))
        except Exception as error:  # the driver gives it as the reason
            answer = {"error": reason(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def reason(error: Exception) -> str:
    """An exception on one line, without the C++ signature that FAISS puts before its message."""
    text = re.sub(r"^Error in .* at \S+:\d+: (Error: )?", "", " ".join(str(error).split()))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class _Session:
    """One engine with the queries it was given."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._start_mib = anonymous_mib()
        self._queries: Any = None

    def answer(self, do: str, **values: Any) -> dict[str, Any]:
        """What a command gives."""
        engine = self._engine
        match do:
            case "build":
                return self._build()
            case "open":
                started = time.perf_counter()
                engine.open()
                return {"open_s": time.perf_counter() - started}
            case "queries":
                queries = np.load(values["file"], mmap_mode="r")[: values["count"]]
                self._queries = queries.astype(np.float32)
                return {}
            case "efforts":
                return {"efforts": engine.efforts()}
            case "search":
                return _search(engine, self._queries, **values)
            case "trial":
                return engine.trial(queries=self._queries, **values)
            case "memory":
                return {
                    "ram_mib": anonymous_mib() - self._start_mib,
                    "mapped_mib": memory_mib("RssFile"),
                    "disk_mib": engine.disk_bytes() / 2**20,
                }
        raise ValueError(do)

    def _build(self) -> dict[str, Any]:
        started = time.perf_counter()
        answer = self._engine.build()
        answer["build_s"] = time.perf_counter() - started
        # VmHWM, as ru_maxrss of this process begins with what the driver held when it forked.
        children_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        answer["build_peak_mib"] = max(children_mib, memory_mib("VmHWM"))
        return answer


def _search(
    engine: Engine,
    queries: Any,
    k: int,
    effort: Any = None,
    clients: int = 1,
    count: int | None = None,
    found: bool = True,
) -> dict[str, Any]:
    """The first `count` queries, each alone, from so many clients at a time.

    Every client has a stream of its own: it asks the next query when it has the answer to the last.
    Times are in ms, in the order of the queries.
    """
    queries = queries[:count]
    stream = partial(_stream, engine, k, effort)
    stream(queries[:1])
    answers: list[Any] = [None] * len(queries)
    started = time.perf_counter()
    if clients == 1:
        answers = stream(queries)
    else:
        with ThreadPoolExecutor(clients, initializer=engine.enter_thread) as pool:
            parts = pool.map(stream, [queries[i::clients] for i in range(clients)])
            for i, part in enumerate(parts):
                answers[i::clients] = part
    answer: dict[str, Any] = {
        "queries_per_s": len(queries) / (time.perf_counter() - started),
        "ms": [ms for ms, _ in answers],
    }
    if found:
        answer["ids"] = [ids for _, ids in answers]
    return answer


def _stream(engine: Engine, k: int, effort: Any, queries: Any) -> list[tuple[float, list[int]]]:
    """(ms, ids) of each query, one after the other."""
    answers = []
    for query in queries:
        started = time.perf_counter()
        ids = engine.search(query, k, effort)
        answers.append(((time.perf_counter() - started) * 1000, ids))
    return answers
