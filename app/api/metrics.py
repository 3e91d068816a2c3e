"""Counts and times for Prometheus, and GET /metrics.

Each application has a registry of its own: two in one process, as in tests, do not mix. Labels come
from our own tables, never from a request, so that a stranger cannot make them grow.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.api.errors import RESPONSES
from app.search.stages import Timing

_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_STAGE_BUCKETS = (0.0001, 0.00025, 0.0005, *_REQUEST_BUCKETS)
_TOKEN_BUCKETS = tuple(2.0**n for n in range(5, 16))  # 32 to 32,768

Read = Callable[[], float]
ReadEach = Callable[[], Mapping[str, float]]  # {collection that there is: value}

router = APIRouter(tags=["metrics"], responses=RESPONSES)


@dataclass(eq=False)  # a registry keeps collectors by identity
class _Watched(Collector):
    """Numbers that others keep, read when somebody asks."""

    gauges: dict[str, tuple[str, Read]] = field(default_factory=dict)
    counts: dict[str, tuple[str, Read]] = field(default_factory=dict)
    by_collection: dict[str, tuple[str, ReadEach]] = field(default_factory=dict)

    def collect(self) -> Iterator[Metric]:
        for name, (about, read) in self.gauges.items():
            yield GaugeMetricFamily(name, about, value=read())
        for name, (about, read) in self.counts.items():
            yield CounterMetricFamily(name, about, value=read())
        for name, (about, read_each) in self.by_collection.items():
            family = GaugeMetricFamily(name, about, labels=["collection"])
            for collection, value in read_each().items():
                family.add_metric([collection], value)
            yield family


class Metrics:
    """What one application counts. Safe to use from several threads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "semsearch_requests",
            "Requests answered; status 499: the client had gone",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "semsearch_requests_in_flight", "Requests being answered", registry=self._registry
        )
        self._durations = Histogram(
            "semsearch_request_duration_seconds",
            "From the request's headers to the end of its answer",
            ["route"],
            buckets=_REQUEST_BUCKETS,
            registry=self._registry,
        )
        self._stages = Histogram(
            "semsearch_stage_duration_seconds",
            "Parts of an answer",
            ["stage", "model", "mode"],
            buckets=_STAGE_BUCKETS,
            registry=self._registry,
        )
        self._batch_tokens = Histogram(
            "semsearch_batch_tokens",
            "Tokens that went through the model together",
            buckets=_TOKEN_BUCKETS,
            registry=self._registry,
        )
        self._watched = _Watched()
        self._registry.register(self._watched)
        ProcessCollector(registry=self._registry)  # memory, CPU time, open files; on Linux only

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count a request as being answered."""
        with self._in_flight.track_inprogress():
            yield

    def answered(
        self, route: str, method: str, status: int, seconds: float, timing: Timing
    ) -> None:
        """Count an answer. Route and method must be from our table."""
        self._requests.labels(method, route, str(status)).inc()
        self._durations.labels(route).observe(seconds)
        for stage, spent in timing.seconds.items():
            self._stages.labels(stage, timing.model, timing.mode).observe(spent)

    def observe_batch(self, tokens: int) -> None:
        """Count one batch that went through the model."""
        self._batch_tokens.observe(tokens)

    def watch_gauge(self, name: str, about: str, read: Read) -> None:
        """Show a number that goes up and down, for example `semsearch_queue_size`.

        Args:
            name: with prefix and unit.
            about: one line.
            read: quick, safe to call from any thread, never raises.
        """
        self._watched.gauges[name] = (about, read)

    def watch_count(self, name: str, about: str, read: Read) -> None:
        """Show a number that only grows, for example `semsearch_cache_hits`; as `watch_gauge`.

        `_total` is added to the name.
        """
        self._watched.counts[name] = (about, read)

    def watch_by_collection(self, name: str, about: str, read: ReadEach) -> None:
        """Show a number for each collection that has one; as `watch_gauge`."""
        self._watched.by_collection[name] = (about, read)

    def exposition(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Counts and times for Prometheus."""
    kept = request.app.state.metrics
    assert isinstance(kept, Metrics)
    return Response(kept.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})
