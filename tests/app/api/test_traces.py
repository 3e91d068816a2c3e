"""Spans, recorded by a provider that only remembers."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry import trace

from app.api.application import create_app
from app.search.stages import Stage, Stages
from app.settings import Settings

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE_ID = 0x4BF92F3577B34DA6A3CE929D0E0E4736


@dataclass
class Remembered(trace.NonRecordingSpan):
    """A span that keeps what it is told."""

    name: str
    parent: trace.SpanContext
    attributes: dict[str, Any]
    times: list[int | None]

    def __post_init__(self) -> None:
        flags = trace.TraceFlags(1)
        super().__init__(trace.SpanContext(self.parent.trace_id, id(self), False, flags))

    def is_recording(self) -> bool:
        return len(self.times) == 1

    def set_attribute(self, key: str, value: Any) -> None:
        assert self.is_recording()
        self.attributes[key] = value

    def set_attributes(self, attributes: Any) -> None:
        self.attributes.update(attributes)

    def update_name(self, name: str) -> None:
        self.name = name

    def end(self, end_time: int | None = None) -> None:
        self.times.append(end_time)


@dataclass
class Remembering(trace.Tracer, trace.TracerProvider):
    """Gives itself as tracer; keeps all spans."""

    spans: list[Remembered] = field(default_factory=list)

    def get_tracer(self, *_: Any, **__: Any) -> trace.Tracer:
        return self

    def start_span(self, name: str, context: Any = None, **more: Any) -> trace.Span:  # type: ignore[override]
        parent = trace.get_current_span(context).get_span_context()
        attributes = dict(more.get("attributes") or {})
        span = Remembered(str(name), parent, attributes, [more.get("start_time")])
        self.spans.append(span)
        return span

    def start_as_current_span(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


@pytest.fixture
def client(home: Path) -> TestClient:
    return TestClient(create_app(Settings.load()), base_url="http://127.0.0.1:8765")


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Remembered]:
    provider = Remembering()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    return provider.spans


def test_stages_are_spans_below_the_request_and_that_below_the_sender(
    client: TestClient, recorded: list[Remembered], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(connection: dict[str, Any]) -> Stages:
        stages = real(connection)
        stages.model, stages.mode = "minilm", "hybrid"
        stages.add(Stage.EMBED, 0.25)
        return stages

    from app.api.timing import start_clock as real

    monkeypatch.setattr("app.api.guard.envelope.start_clock", start)
    client.get("/health", headers={"traceparent": PARENT, "x-request-id": "my-id"})
    request, embed = recorded
    assert (request.name, request.parent.trace_id) == ("GET /health", TRACE_ID)
    assert request.attributes["semsearch.request_id"] == "my-id"
    assert (embed.name, embed.parent) == ("embed", request.get_span_context())
    assert embed.attributes == {"semsearch.model": "minilm", "semsearch.mode": "hybrid"}
    started, ended = embed.times
    assert started is not None
    assert ended is not None
    assert ended - started == pytest.approx(0.25e9, abs=10)


def test_words_of_a_query_do_not_leave_in_a_trace(
    client: TestClient, recorded: list[Remembered]
) -> None:
    client.get("/health?query=my-diagnosis", headers={"Authorization": "Bearer my-key"})
    assert recorded
    assert "my-" not in str([span.attributes for span in recorded])


def test_nothing_is_recorded_where_nobody_listens(client: TestClient) -> None:
    """FastAPI's own check, which ours follows: no provider, no span."""
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert client.get("/health").status_code == 200
    assert not trace.get_current_span().is_recording()
