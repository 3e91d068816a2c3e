"""The service under 1, 2, 8 and 32 clients at once: queries a second, latency, processor time.

    python benchmarks/index/served.py HOME [--collection NAME] [--queries 500] [--clients 1 2 8 32]
        [--mode hybrid] [--threads N] [--out FILE]

`semsearch serve` runs as a user would start it, on a collection that is there. Clients live in one
process of their own, a thread and a kept connection each, and draw from one list of different
queries, which are words of the collection's own chunks. Processor time and threads are those of
the server's process alone; "runnable" counts those of its threads that run or wait for a core,
looked at every 20 ms.
"""

import argparse
import json
import os
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-c", "from app.cli.main import main; main()"]
WARMING = 30  # queries before the first row: files are mapped, graphs have run
LOOK_EVERY_S = 0.02
READY_WITHIN_S = 300.0
WORDS = slice(3, 11)  # of a chunk: a query of eight words


def queries_of(catalog: Path, count: int) -> list[str]:
    """Different queries, each from another chunk, the same ones every time."""
    with sqlite3.connect(f"file:{catalog}?mode=ro", uri=True) as connection:
        last = connection.execute("SELECT max(id) FROM chunks").fetchone()[0]
        ids = random.Random(7).sample(range(1, last + 1), min(last, 2 * count))
        found: dict[str, None] = {}
        for chunk_id in ids:
            row = connection.execute("SELECT text FROM chunks WHERE id = ?", (chunk_id,)).fetchone()
            words = row[0].split()[WORDS] if row else []
            if len(words) == WORDS.stop - WORDS.start:
                found[" ".join(words)] = None
    if len(found) < count:
        sys.exit(f"{catalog}: only {len(found)} different queries, {count} are needed")
    return list(found)[:count]


@contextmanager
def server(given: argparse.Namespace) -> Iterator[tuple[int, str]]:
    """(process id, address) of a service that is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SEMSEARCH_HOME": str(given.home)}
    if given.threads:
        environment["SEMSEARCH_THREADS"] = str(given.threads)
    options = ["--collection", given.collection, "--port", str(port)]
    process = subprocess.Popen([*PROGRAM, "serve", *options], env=environment, cwd=ROOT)
    try:
        address = f"http://127.0.0.1:{port}"
        until = time.monotonic() + READY_WITHIN_S
        while not _is_ready(address):
            if process.poll() is not None or time.monotonic() > until:
                sys.exit("the service did not become ready")
            time.sleep(0.2)
        yield process.pid, address
    finally:
        process.terminate()
        process.wait()


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


class Watch(threading.Thread):
    """Looks at the threads of a process until `stop`."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._tasks = Path(f"/proc/{pid}/task")
        self._done = threading.Event()
        self.threads = 0
        self.runnable: list[int] = []

    def run(self) -> None:
        while not self._done.wait(LOOK_EVERY_S):
            states = [_state(task) for task in self._tasks.iterdir()]
            self.threads = max(self.threads, len(states))
            self.runnable.append(states.count("R"))

    def stop(self) -> None:
        self._done.set()
        self.join()


def _state(task: Path) -> str:
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # it has just ended
        return ""


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(address: str, queries: list[str], mode: str, clients: int) -> dict[str, Any]:
    """Times of all queries, each asked once by the client that is free."""
    waiting, times, lock = iter(queries), [], threading.Lock()

    def client() -> None:
        with httpx.Client(base_url=address, timeout=120) as connection:
            while True:
                with lock:
                    query = next(waiting, None)
                if query is None:
                    return
                started = time.perf_counter()
                answer = connection.post("/search", json={"query": query, "mode": mode})
                times.append((time.perf_counter() - started) * 1000)
                answer.raise_for_status()
                assert answer.json()["mode"] == mode, answer.json()["degraded_reason"]

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for future in [pool.submit(client) for _ in range(clients)]:
            future.result()
    return {"wall_s": time.perf_counter() - started, "times_ms": times}


def asked_apart(address: str, queries: list[str], mode: str, clients: int) -> dict[str, Any]:
    """`ask` in a process of its own, so that clients and server share no interpreter."""
    task = {"address": address, "queries": queries, "mode": mode, "clients": clients}
    done = subprocess.run(
        [sys.executable, __file__, "--child"],
        input=json.dumps(task),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row(pid: int, clients: int, asked: Any) -> dict[str, Any]:
    """One line of the table; `asked` asks the queries."""
    watch, before = Watch(pid), cpu_s(pid)
    watch.start()
    found = asked()
    watch.stop()
    used, times = cpu_s(pid) - before, found["times_ms"]
    return {
        "clients": clients,
        "queries_per_s": len(times) / found["wall_s"],
        "p50_ms": statistics.median(times),
        "p99_ms": float(np.quantile(times, 0.99)),
        "cpu_s_per_query": used / len(times),
        "threads": watch.threads,
        "runnable_mean": statistics.fmean(watch.runnable or [0]),
        "runnable_max": max(watch.runnable, default=0),
    }


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| Clients | Queries/s | p50 ms | p99 ms | CPU ms a query | Threads | Runnable mean/max |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['clients']} | {r['queries_per_s']:.0f} | {r['p50_ms']:.1f} | {r['p99_ms']:.1f} | "
        f"{r['cpu_s_per_query'] * 1000:.1f} | {r['threads']} | "
        f"{r['runnable_mean']:.1f} / {r['runnable_max']} |"
        for r in rows
    ]
    return "\n".join(lines)


def main() -> None:
    if sys.argv[1:] == ["--child"]:
        print(json.dumps(ask(**json.load(sys.stdin))))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("home", type=lambda given: Path(given).absolute())
    parser.add_argument("--collection", default="default")
    parser.add_argument("--queries", type=int, default=500, help="for each number of clients")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 2, 8, 32])
    parser.add_argument("--mode", default="hybrid", choices=["hybrid", "dense", "lexical"])
    parser.add_argument("--threads", type=int, help="the setting; unset: the program's own choice")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    catalog = given.home / "collections" / given.collection / "catalog.sqlite3"
    queries = queries_of(catalog, WARMING + given.queries * len(given.clients))
    rows = []
    with server(given) as (pid, address):
        asked_apart(address, queries[:WARMING], given.mode, 1)
        for number, clients in enumerate(given.clients):
            start = WARMING + number * given.queries
            part = queries[start : start + given.queries]
            rows.append(
                row(pid, clients, lambda p=part, c=clients: asked_apart(address, p, given.mode, c))
            )
    print(table(rows))
    if given.out:
        report = {"collection": given.collection, "mode": given.mode, "threads": given.threads}
        given.out.write_text(json.dumps({**report, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
