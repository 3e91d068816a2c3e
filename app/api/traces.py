"""OpenTelemetry: stages as spans below the request's own, for those who have set it up.

FastAPI records the span of each request where OpenTelemetry has somewhere to send spans to, as
under `opentelemetry-instrument semsearch serve`. Elsewhere all of this does nothing.
"""

import time

from opentelemetry import trace
from starlette.types import Scope

from app.search.stages import Timing


def begin_trace(scope: Scope, request_id: str) -> trace.Span | None:
    """The request's span, with the request's id and without the words that were searched for.

    None where nobody records spans.
    """
    span = trace.get_current_span()
    if not span.is_recording():
        return None
    span.set_attribute("semsearch.request_id", request_id)
    if scope["query_string"]:
        span.set_attribute("url.query", "REDACTED")
    return span


def trace_stages(request: trace.Span, timing: Timing) -> None:
    """Record the stages of a request after its answer: they cost it no time."""
    tracer = trace.get_tracer("semsearch")
    inside = trace.set_span_in_context(request)
    labels = {"semsearch.model": timing.model, "semsearch.mode": timing.mode}
    offset_ns = time.time_ns() - round(time.perf_counter() * 1e9)
    for part in timing.spent:
        started_ns = offset_ns + round(part.started * 1e9)
        span = tracer.start_span(
            part.stage, context=inside, attributes=labels, start_time=started_ns
        )
        span.end(started_ns + round(part.seconds * 1e9))
