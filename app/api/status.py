"""GET /status: what the service holds and does, for the status view of the page."""

import time

import psutil
from fastapi import APIRouter

from app.api.errors import RESPONSES
from app.api.state import State, StateDep
from app.api.status_schemas import (
    CacheOut,
    CollectionOut,
    IndexingStatus,
    IndexOut,
    LiveRecallOut,
    ModelStatus,
    ProgressOut,
    QueueOut,
    SearchesStatus,
    StatusAnswer,
)
from app.search.live_recall import LiveRecall
from indexer.errors import SemsearchError
from indexer.pipeline.progress_file import read_progress
from indexer.pipeline.report import Progress
from indexer.storage.commit import LOCK
from indexer.storage.lock import writer_pid
from indexer.storage.vectors.status import IndexStatus
from indexer.version import __version__

router = APIRouter(tags=["status"], responses=RESPONSES)


@router.get("/status")
def status(state: StateDep) -> StatusAnswer:
    """Collections, indexing under way, loaded models, answer times and memory."""
    p50, p95 = state.latencies.percentiles_ms(50, 95)
    searches = SearchesStatus(
        count=state.latencies.count, latest=state.latencies.latest, p50_ms=p50, p95_ms=p95
    )
    models = [
        ModelStatus(
            model=of.spec.model, mode=str(of.mode), engine=of.engine, dimension=of.dimension
        )
        for of in state.models.in_use()
    ]
    return StatusAnswer(
        version=__version__,
        uptime_s=round(time.monotonic() - state.started, 1),
        problem=state.problem,
        memory_bytes=psutil.Process().memory_info().rss,
        models=models,
        searches=searches,
        collections=[_collection(state, name) for name in state.collections.names()],
        cache=_cache(state),
        queue=_queue(state),
    )


def _cache(state: State) -> CacheOut:
    memory = state.vectors.memory
    return CacheOut(size_bytes=memory.bytes, hits=memory.hits, misses=memory.misses)


def _queue(state: State) -> QueueOut:
    counters = [embedder.counters for embedder in state.embedders]
    return QueueOut(
        requests=state.turns.taken,
        places=state.turns.places,
        waiting=sum(of.waiting for of in counters),
        waiting_tokens=sum(of.waiting_tokens for of in counters),
        refused=state.turns.refused + sum(of.refused for of in counters),
    )


def _collection(state: State, name: str) -> CollectionOut:
    """One collection; a damaged one must not hide the others."""
    is_default = name == state.settings.collection
    try:
        found = state.collections.get(name).status()
    except SemsearchError as error:
        return CollectionOut(name=name, is_default=is_default, problem=str(error))
    return CollectionOut(
        name=name,
        is_default=is_default,
        documents=found.documents,
        chunks=found.chunks,
        vectors=found.vectors,
        generation=found.generation,
        model=found.contract.model,
        dimension=found.contract.dimension,
        modes=dict(found.modes),
        size_bytes=found.catalog_bytes + found.vectors_bytes + found.lexical_bytes,
        index=_index(found.index, state.recall.results().get(name)),
        indexing=_indexing(state, name),
    )


def _index(found: IndexStatus, live: LiveRecall | None) -> IndexOut:
    certificate = found.certificate
    return IndexOut(
        kind=found.kind,
        rows=found.rows,
        covered=found.covered,
        ram_bytes=found.ram_bytes,
        recall_at_10=certificate.recall if certificate else None,
        target_recall=certificate.target if certificate else None,
        target_is_met=certificate.is_met if certificate else None,
        live=_live(live) if live else None,
    )


def _live(found: LiveRecall) -> LiveRecallOut:
    return LiveRecallOut(
        recall_at_10=found.recall,
        low=found.low,
        high=found.high,
        checks=found.checks,
        effort_factor=found.effort_factor,
    )


def _indexing(state: State, name: str) -> IndexingStatus | None:
    folder = state.collections.folder(name)
    pid = writer_pid(folder / LOCK)
    if pid is None:
        return None
    progress = read_progress(folder, pid)
    return IndexingStatus(pid=pid, progress=_progress(progress) if progress else None)


def _progress(of: Progress) -> ProgressOut:
    return ProgressOut(
        files_done=of.files_done,
        files_total=of.files_total,
        chunks=of.chunks,
        tokens_per_s=of.tokens_per_s,
        elapsed_s=of.elapsed_s,
        eta_s=of.eta_s,
    )
