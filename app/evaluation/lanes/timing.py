"""The process that times one lane and one kind of index, for one round of an evaluation."""

import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from app.evaluation.apart import OnStep, answer_one
from app.evaluation.lanes.lane import Lane, lane_settings
from app.evaluation.lanes.own_server import own_server
from app.evaluation.strict_models import StrictModels
from app.search.query import Mode as Way
from app.search.query import Query
from app.search.service import SearchService
from app.threads import requests_at_once
from indexer.embedding.embedder import Embedder
from indexer.embedding.footprint import peak_rss_bytes, peak_vram_bytes
from indexer.embedding.hardware.energy import EnergyCounter
from indexer.pipeline.canaries import embedded_text
from indexer.pipeline.whole import CHUNKER
from indexer.storage.collection import Collection
from indexer.types import Kind, Scan

BATCHES = (1, 4)  # queries in one call of the model, as in the article
CLIENTS = (1, 8, 32)  # at once
WARMUP = 3  # calls of each kind that do not count
LEAST, MOST = 3, 50  # calls of each kind that do, as far as the time allows
K = 10
_PASSAGES = 16  # embedded in one call


@dataclass(frozen=True, slots=True)
class Visit:
    """The job."""

    lane: Lane
    flags: dict[str, Any]
    folder: Path  # of the collection
    kind: Scan
    way: Way
    queries: tuple[str, ...]  # in the order they are asked; other ones in each round
    seconds: float  # of each kind of call

    def to_job(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "lane": self.lane.to_job(),
            "flags": self.flags,
            "folder": os.fspath(self.folder),
            "kind": self.kind,
            "way": self.way,
            "queries": list(self.queries),
            "seconds": self.seconds,
        }

    @classmethod
    def of_job(cls, job: dict[str, Any]) -> "Visit":
        """The inverse."""
        return cls(
            lane=Lane.of_job(job["lane"]),
            flags=job["flags"],
            folder=Path(job["folder"]),
            kind=Scan(job["kind"]),
            way=Way(job["way"]),
            queries=tuple(job["queries"]),
            seconds=job["seconds"],
        )


def main() -> None:
    """Answer one `Visit`.

    The values: load_s, cold_ms, embed_ms {queries: [...]}, search_ms {clients: [...]},
    queries_per_s {clients: n}, tokens_per_s, passages_per_s, joules_per_query, peaks.
    """
    started = psutil.Process().create_time()
    answer_one(lambda job, on_step: _visit(Visit.of_job(job), started, on_step))


def _visit(visit: Visit, started: float, on_step: OnStep) -> dict[str, Any]:
    settings = lane_settings(visit.lane, visit.flags)
    queries = itertools.cycle(visit.queries)
    with ExitStack() as stack:
        waited = time.time()
        stack.enter_context(own_server(visit.lane, on_step))
        waited = time.time() - waited  # a server is there before anyone asks it
        on_step("loading the model")
        models = StrictModels(settings, visit.lane.mode, on_step)
        collection = stack.enter_context(Collection.open(visit.folder))
        spec = models.named(settings.model)
        embedder = stack.enter_context(models.embedder(spec, collection.contract.dimension))
        embedder.embed([next(queries)], Kind.QUERY)
        load_s = time.time() - started - waited
        service = SearchService(lambda _contract: embedder, scan=visit.kind)

        def ask() -> None:
            service.search(Query(next(queries), visit.way, K), {"": collection})

        return {
            "load_s": load_s,
            "cold_ms": _milliseconds(ask),
            **_time_embedding(embedder, queries, visit.seconds, on_step),
            **_time_answers(ask, requests_at_once(settings), visit.seconds, on_step),
            **_time_passages(embedder, collection, visit.seconds, on_step),
            "peak_rss_bytes": peak_rss_bytes(),
            "peak_vram_bytes": peak_vram_bytes(),
        }


def _milliseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def _repeat(call: Callable[[], object], seconds: float) -> list[float]:
    """Milliseconds of each call: some to warm up, then what the time allows, within bounds."""
    for _ in range(WARMUP):
        call()
    found: list[float] = []
    until = time.monotonic() + seconds
    while len(found) < LEAST or (len(found) < MOST and time.monotonic() < until):
        found.append(_milliseconds(call))
    return found


def _time_embedding(
    embedder: Embedder, queries: Iterator[str], seconds: float, on_step: OnStep
) -> dict[str, Any]:
    found = {}
    for batch in BATCHES:
        on_step(f"embedding {batch} at once")

        def call(batch: int = batch) -> None:
            embedder.embed([next(queries) for _ in range(batch)], Kind.QUERY)

        found[batch] = _repeat(call, seconds)
    return {"embed_ms": found}


def _time_answers(
    ask: Callable[[], None], at_once: int, seconds: float, on_step: OnStep
) -> dict[str, Any]:
    """By clients that ask without a pause and wait in turn, as they do in the service."""
    on_step("searching")
    energy = EnergyCounter()
    alone = _repeat(ask, seconds)
    joules = energy.joules()
    search_ms = {1: alone}
    queries_per_s = {1: 1000 * len(alone) / sum(alone)}
    with ThreadPoolExecutor(at_once) as service:

        def answered() -> None:
            service.submit(ask).result()

        for clients in CLIENTS[1:]:
            on_step(f"searching, {clients} at once")
            started = time.perf_counter()
            search_ms[clients] = _ask_together(answered, clients, seconds)
            queries_per_s[clients] = len(search_ms[clients]) / (time.perf_counter() - started)
    return {
        "search_ms": search_ms,
        "queries_per_s": queries_per_s,
        "joules_per_query": None if joules is None else joules / (len(alone) + WARMUP),
    }


def _ask_together(answered: Callable[[], None], clients: int, seconds: float) -> list[float]:
    until = time.monotonic() + seconds

    def client(_: int) -> list[float]:
        found = [_milliseconds(answered)]
        while time.monotonic() < until:
            found.append(_milliseconds(answered))
        return found

    with ThreadPoolExecutor(clients) as pool:
        return [value for found in pool.map(client, range(clients)) for value in found]


def _time_passages(
    embedder: Embedder, collection: Collection, seconds: float, on_step: OnStep
) -> dict[str, Any]:
    """Passages of the collection, embedded as indexing embeds them."""
    on_step("embedding passages")
    texts = _passages(collection, embedder)
    tokens = passages = 0

    def on_batch(_texts: int, batch_tokens: int) -> None:
        nonlocal tokens
        tokens += batch_tokens

    started = time.perf_counter()
    for some in itertools.cycle(texts):
        embedder.embed(some, Kind.DOCUMENT, on_batch=on_batch)
        passages += len(some)
        elapsed = time.perf_counter() - started
        if elapsed >= seconds:
            break
    return {"tokens_per_s": tokens / elapsed, "passages_per_s": passages / elapsed}


def _passages(collection: Collection, embedder: Embedder) -> Sequence[list[str]]:
    """Texts as they were embedded, spread over the collection, in calls of `_PASSAGES`."""
    with collection.snapshot() as now:
        contract, stored = now.head.contract, now.stored_vectors(8 * _PASSAGES)
    if contract.chunker == CHUNKER:
        found = [item.chunk.text for item in stored]
    else:
        key = contract.fingerprint, contract.chunker, embedder.tokenizer
        found = [embedded_text(item, *key) or item.chunk.text for item in stored]
    return [found[start : start + _PASSAGES] for start in range(0, len(found), _PASSAGES)]
