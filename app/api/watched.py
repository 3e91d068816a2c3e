"""Numbers that queues, places and caches keep, shown to Prometheus."""

from collections.abc import Callable

from app.api.metrics import Metrics, ReadEach
from app.api.state import State
from app.search.live_recall import LiveRecall
from indexer.embedding.shared.counters import Counters


def watch(metrics: Metrics, state: State) -> None:
    """Show them; each is read when somebody asks."""
    for name, about, read in (
        ("semsearch_places_taken", "Requests under way or waiting", lambda: state.turns.taken),
        ("semsearch_places", "Requests that may be", lambda: state.turns.places),
        ("semsearch_queue_size", "Requests waiting for a model", _sum(state, _waiting)),
        ("semsearch_queue_tokens", "Tokens waiting for a model", _sum(state, _tokens)),
        (
            "semsearch_cache_bytes",
            "Vectors of queries in memory",
            lambda: state.vectors.memory.bytes,
        ),
    ):
        metrics.watch_gauge(name, about, read)
    for name, about, of in (
        (
            "semsearch_recall_ratio",
            "Share of the ten nearest that served searches found, by checks against exact search",
            lambda found: found.recall,
        ),
        (
            "semsearch_recall_target_ratio",
            "What the index promises",
            lambda found: found.target,
        ),
        ("semsearch_recall_checks", "Checks that it rests on", lambda found: found.checks),
        (
            "semsearch_effort_factor",
            "How much harder searches look than when the index was built",
            lambda found: found.effort_factor,
        ),
    ):
        metrics.watch_by_collection(name, about, _of_recall(state, of))
    memory, redis = state.vectors.memory, state.vectors.redis
    for name, about, read in (
        ("semsearch_overloaded", "Requests sent away", lambda: _refused(state)),
        ("semsearch_dropped", "Requests whose client left before an answer", _sum(state, _dropped)),
        ("semsearch_embedded_texts", "Texts that went through a model", _sum(state, _texts)),
        ("semsearch_cache_hits", "Queries whose vector was in memory", lambda: memory.hits),
        ("semsearch_cache_misses", "Queries whose vector was not", lambda: memory.misses),
    ):
        metrics.watch_count(name, about, read)
    if redis is None:
        return
    for name, about, read in (
        ("semsearch_redis_hits", "Vectors found in Redis", lambda: redis.hits),
        ("semsearch_redis_misses", "Vectors not found there", lambda: redis.misses),
        ("semsearch_redis_failures", "Times that it did not help", lambda: redis.failures),
    ):
        metrics.watch_count(name, about, read)


def _of_recall(state: State, of: Callable[[LiveRecall], float]) -> ReadEach:
    return lambda: {name: of(found) for name, found in state.recall.results().items()}


def _sum(state: State, of: Callable[[Counters], int]) -> Callable[[], int]:
    return lambda: sum(of(embedder.counters) for embedder in state.embedders)


def _waiting(counters: Counters) -> int:
    return counters.waiting


def _tokens(counters: Counters) -> int:
    return counters.waiting_tokens


def _dropped(counters: Counters) -> int:
    return counters.dropped


def _texts(counters: Counters) -> int:
    return counters.texts


def _refused(state: State) -> int:
    return state.turns.refused + sum(embedder.counters.refused for embedder in state.embedders)
