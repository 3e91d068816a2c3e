"""How long a query takes while the same service embeds documents without a pause.

    python benchmarks/serving/while_indexing.py HOME --collection NAME [--rate 10] [--seconds 40]
        [--rounds 3] [--into OTHER --set model=minilm | --job COMMAND] [--out FILE]

Queries arrive at random at a rate far below capacity, in turns on an idle service and while two
clients post 64 passages at a time to /v1/embeddings. With --into, they are stored by /documents in
another collection, which is made with the model of the settings; remove it afterwards, as passages
that it holds are not embedded again. With --job, a command runs instead (a `semsearch index` of its
own process, say) and is ended with the turn; {url} in it is the service. Figures are medians over
the rounds.
"""

import argparse
import hashlib
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import httpx
import servers
from doors import OURS_MODEL
from load import Outcome, Phase, drive
from passages import catalog_of, documents_of, queries_of
from reporting import Goal, goals_table, markdown, medians, parser_of, run, settings_of, tell
from servers import Server

BATCH = 64  # passages of a request
WRITERS = 2  # so that the next batch waits when one is done
AHEAD_S = 3.0  # that the work has begun before the first query
BATCHES = 600  # different ones
WARMING_S = 3.0


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """{"idle" and "indexing": figures of each round}."""
    catalog = catalog_of(given.home, given.collection)
    queries = queries_of(catalog, int(given.rate * given.seconds * given.rounds * 4) + 100)
    texts = documents_of(catalog, BATCH * given.batches)
    batches = cycle([texts[i : i + BATCH] for i in range(0, len(texts), BATCH)])
    rows: dict[str, list[dict[str, float]]] = {"idle": [], "indexing": []}
    with servers.ours(given.home, given.collection, settings_of(given)) as server:

        def ask(turn: int, seconds: float = given.seconds) -> Outcome:
            first = turn * len(queries) // (2 * given.rounds + 1)
            phases = [Phase(rate=given.rate, seconds=seconds)]
            some = queries[first:] + queries[:first]
            return drive(server, "ours hybrid", some, phases, again=True)[0].require_good()

        ask(2 * given.rounds, WARMING_S)
        for number in range(given.rounds):
            rows["idle"].append(figures(ask(2 * number)))
            tell("idle", rows["idle"][-1])
            work = job(given.job, server) if given.job else writing(server, batches, given.into)
            with work as done:
                found = figures(ask(2 * number + 1))
            rows["indexing"].append(found | done)
            tell("indexing", rows["indexing"][-1])
    return {"mode": server.mode, "rate": given.rate, "batch_ms": given.batch_ms, "rows": rows}


def figures(found: Outcome) -> dict[str, float]:
    """Of one turn."""
    return {
        "p50_ms": found.quantile(0.5),
        "p99_ms": found.quantile(0.99),
        "generator_share": found.cpu_share,
    }


@contextmanager
def writing(
    server: Server, batches: Iterator[list[str]], into: str | None
) -> Iterator[dict[str, float]]:
    """Clients that send batch after batch; afterwards {"texts_per_s"} is in what it gives."""
    done: dict[str, float] = {}
    ended = threading.Event()

    def write() -> int:
        count = 0
        with httpx.Client(base_url=server.address, timeout=300) as client:
            while not ended.is_set():
                client.post(**request(next(batches), into)).raise_for_status()
                count += BATCH
        return count

    began = time.monotonic()
    with ThreadPoolExecutor(WRITERS) as pool:
        clients = [pool.submit(write) for _ in range(WRITERS)]
        try:
            time.sleep(AHEAD_S)
            yield done
        finally:
            ended.set()
        count = sum(client.result() for client in clients)
    done["texts_per_s"] = count / (time.monotonic() - began)


def request(texts: list[str], into: str | None) -> dict[str, Any]:
    """To embed passages, or to store each as a document of its own."""
    if into is None:
        body: dict[str, Any] = {"model": OURS_MODEL, "input": texts}
        return {"url": "/v1/embeddings", "json": body}
    documents = [{"id": hashlib.sha256(text.encode()).hexdigest(), "text": text} for text in texts]
    body = {"documents": documents, "collection": into, "create": True}
    return {"url": "/documents", "json": body}


@contextmanager
def job(command: str, server: Server) -> Iterator[dict[str, float]]:
    """A command that must run longer than the turn."""
    process = subprocess.Popen(shlex.split(command.replace("{url}", server.address)))
    try:
        time.sleep(AHEAD_S)
        yield {}
        if process.poll() is not None:
            sys.exit(f"the job ended before the last query, with {process.returncode}")
    finally:
        process.terminate()
        process.wait()


def show(found: dict[str, Any]) -> str:
    """The table."""
    middle = {name: medians(rows) for name, rows in found["rows"].items()}
    head = ["Service", "p50 ms", "p99 ms", "Passages/s beside", "Clients' share of a core"]
    lines = [
        [
            name,
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            f"{row['texts_per_s']:.1f}" if "texts_per_s" in row else "-",
            f"{row['generator_share']:.1%}",
        ]
        for name, row in middle.items()
    ]
    rate = f"{found['rate']:g} queries arrive a second."
    return f"{markdown(head, lines)}\n\n{rate}\n\n{goals_table(goals(found, middle))}"


def goals(found: dict[str, Any], middle: dict[str, dict[str, float]]) -> Iterator[Goal]:
    """The promise: twice the idle p99 and one batch."""
    limit = 2 * middle["idle"]["p99_ms"] + found["batch_ms"]
    p99 = middle["indexing"]["p99_ms"]
    what = "p99 while indexing"
    promised = f"<= {limit:.0f} ms, 2 x idle + a batch of {found['batch_ms']:.0f} ms"
    yield Goal(what, promised, f"{p99:.0f} ms", p99 <= limit)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rate", type=float, default=10, help="queries a second")
    parser.add_argument("--seconds", type=float, default=40, help="of a turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=BATCHES, help="different ones")
    parser.add_argument("--batch-ms", type=float, default=250, help="what indexing gets at a time")
    parser.add_argument("--into", help="a collection that takes the passages")
    parser.add_argument("--job", help="a command instead")
    run(parser.parse_args(), measure, show)


if __name__ == "__main__":
    main()
