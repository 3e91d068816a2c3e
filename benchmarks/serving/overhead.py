"""What a search costs beyond the model: dense, lexical, fusion, reading what is shown, JSON.

    python benchmarks/serving/overhead.py HOME --collection NAME [--queries 500] [--rounds 5]
        [--set threads=2] [--out FILE]

"In process" calls the search service in this process, one query after another on one thread, with
query vectors made before, and writes the answer's JSON. "HTTP" asks a running service through one
kept connection: the queries for the first time, with the model's work in it, and the same ones
again, when the service remembers their vectors. Modes take turns; figures are medians over the
rounds, all with ten hits.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import servers
from doors import K
from load import Phase, drive
from passages import catalog_of, queries_of
from reporting import Goal, goals_table, markdown, medians, parser_of, run, settings_of

from app.search.collections import Collections
from app.search.models import Models
from app.search.query import Mode, Query
from app.search.query_text import QueryText, VectorOf, embed_query
from app.search.service import SearchService
from app.settings import Settings
from app.threads import share_cores
from indexer.embedding.embedder import Embedder
from indexer.storage.collection import Collection
from indexer.types import Contract, Kind, Vector

MODEL = "the model alone"
HELD = ("in process", "HTTP, again")  # to the promise


def in_process(given: argparse.Namespace, queries: list[str]) -> list[dict[str, Any]]:
    """A row for each round and mode; and the model alone."""
    flags = {"home": given.home, "collection": given.collection, **settings_of(given)}
    settings = Settings.load(flags=flags)
    share_cores(settings)
    opened, models = Collections(settings), Models(settings)
    collection = opened.get(given.collection)
    embedder = models.embedder_of(collection.contract)
    took = times_ms(queries, lambda query: embedder.embed([query], Kind.QUERY))
    rows = [{"where": MODEL, "mode": "-", "ms": took}]
    service = SearchService(models.embedder_of, vector_of=remembered())
    for number in range(given.rounds + 1):
        for mode in Mode:
            found = answered(service, {given.collection: collection}, queries, mode)
            if number:  # the first time files are mapped, rows looked at, vectors made
                rows.append({"where": "in process", "mode": str(mode), **found})
    opened.close()
    return rows


def remembered() -> VectorOf:
    """What gives the vector of a query, from the model only the first time."""
    vectors: dict[QueryText, Vector] = {}

    def vector_of(embedder: Embedder, contract: Contract, query: QueryText) -> Vector:
        if query not in vectors:
            vectors[query] = embed_query(embedder, contract, query)
        return vectors[query]

    return vector_of


def answered(
    service: SearchService, collections: Mapping[str, Collection], queries: list[str], mode: Mode
) -> dict[str, Any]:
    """Times of all queries with the answer's JSON, and medians of the search's stages."""
    stages: dict[str, list[float]] = {}

    def answer(query: str) -> None:
        found = service.search(Query(query, mode, K), collections)
        json.dumps(found.to_dict(), ensure_ascii=False, separators=(",", ":")).encode()
        for stage, ms in found.timing_ms.items():
            stages.setdefault(stage, []).append(ms)

    took = times_ms(queries, answer)
    return {"ms": took, "stages": {stage: statistics.median(ms) for stage, ms in stages.items()}}


def times_ms(queries: list[str], work: Callable[[str], object]) -> list[float]:
    """Of each query."""
    found = []
    for query in queries:
        started = time.perf_counter()
        work(query)
        found.append((time.perf_counter() - started) * 1000)
    return found


def over_http(given: argparse.Namespace, queries: list[str]) -> tuple[str, list[dict[str, Any]]]:
    """(the model's mode, a row for each round and mode, and for the first time of the queries)."""
    rows = []
    with servers.ours(given.home, given.collection, settings_of(given)) as server:

        def ask(mode: Mode) -> list[float]:
            (found,) = drive(server, f"ours {mode}", queries, [Phase(clients=1)])
            times: list[float] = found.require_good().ms.tolist()
            return times

        ask(Mode.LEXICAL)  # files are mapped and looked at; no vector is remembered
        rows.append({"where": "HTTP, first", "mode": str(Mode.HYBRID), "ms": ask(Mode.HYBRID)})
        for _ in range(given.rounds):
            for mode in Mode:
                rows.append({"where": "HTTP, again", "mode": str(mode), "ms": ask(mode)})
    return server.mode, rows


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """{"rows": p50 and p99 of every round}; the service's own process has ended before ours."""
    queries = queries_of(catalog_of(given.home, given.collection), given.queries)
    mode, rows = over_http(given, queries)
    rows += in_process(given, queries)
    for row in rows:
        times = row.pop("ms")
        row |= {"p50_ms": statistics.median(times), "p99_ms": float(np.quantile(times, 0.99))}
    return {"mode": mode, "rows": rows}


def summary(rows: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[float, float]]:
    """{(where, mode): medians over the rounds of (p50, p99) in ms}."""
    grouped: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        figures = (row["p50_ms"], row["p99_ms"])
        grouped.setdefault((row["where"], row["mode"]), []).append(figures)
    return {
        key: (statistics.median(f[0] for f in found), statistics.median(f[1] for f in found))
        for key, found in grouped.items()
    }


def show(found: dict[str, Any]) -> str:
    """The table."""
    figures = summary(found["rows"])
    lines = [(*key, f"{p50:.2f}", f"{p99:.2f}") for key, (p50, p99) in figures.items()]
    table = markdown(["Where", "Mode", "p50 ms", "p99 ms"], lines)
    inside = [
        row["stages"] for row in found["rows"] if row.get("stages") and row["mode"] == "hybrid"
    ]
    stages = ", ".join(f"{stage} {ms:.2f}" for stage, ms in medians(inside).items())
    return (
        f"{table}\n\nStages of a hybrid search in process, p50 in ms: {stages}.\n\n"
        f"{goals_table(goals(figures))}"
    )


def goals(figures: dict[tuple[str, str], tuple[float, float]]) -> Iterator[Goal]:
    """The promise, for a hybrid search."""
    for where in HELD:
        p50, p99 = figures[where, str(Mode.HYBRID)]
        yield Goal(f"{where}, p50", "<= 6 ms", f"{p50:.2f} ms", p50 <= 6)
        yield Goal(f"{where}, p99", "<= 20 ms", f"{p99:.2f} ms", p99 <= 20)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    run(parser.parse_args(), measure, show)


if __name__ == "__main__":
    main()
