"""What every answer has, whoever gives it: an id, safe headers, its times; and no fault escapes."""

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import errors
from app.api.guard.headers import protect
from app.api.guard.request_id import begin
from app.api.guard.routes import ROUTE, Found, Routes
from app.api.metrics import Metrics
from app.api.timing import start_clock
from app.api.traces import begin_trace, trace_stages
from app.search.stages import Stages, Timing

GONE = 499  # nginx's number for a client that left before the answer

logger = logging.getLogger("semsearch")


class Envelope:
    """The outermost part: sees every request and every answer."""

    def __init__(self, app: ASGIApp, routes: Routes, metrics: Metrics) -> None:
        self._app, self._routes, self._metrics = app, routes, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        found = scope[ROUTE] = self._routes.find(scope["path"])
        stages = start_clock(scope)
        request_id = begin(Headers(scope=scope).get("x-request-id"))
        span = begin_trace(scope, request_id)
        status = GONE

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                protect(headers)
                headers["X-Request-Id"] = request_id
                headers["Server-Timing"] = _server_timing(stages, started)
            await send(message)

        with self._metrics.in_flight():
            try:
                await self._app(scope, receive, send_dressed)
            except Exception:
                # The path is hostile: %r keeps a line break in it from forging a line.
                logger.exception("fault on %s %r", scope["method"], scope["path"])
                if status != GONE:
                    raise  # half an answer is out: the server must cut the connection
                await _fault(request_id)(scope, receive, send_dressed)
            finally:
                self._count(scope, found, status, stages.result(), started)
                if span is not None:
                    trace_stages(span, stages.result())

    def _count(
        self, scope: Scope, found: Found | None, status: int, timing: Timing, started: float
    ) -> None:
        # Only names from our table become labels: who asks for made-up paths fills no memory.
        route = found.template if found else "other"
        method = scope["method"] if found and scope["method"] in found.needs else "other"
        self._metrics.answered(route, method, status, time.perf_counter() - started, timing)


def _fault(request_id: str) -> ASGIApp:
    message = f"A fault of the program; its log has the details under {request_id}."
    return errors.answer(500, message, code="fault")


def _server_timing(stages: Stages, started: float) -> str:
    total = {"total": round((time.perf_counter() - started) * 1000, 3)}
    parts = stages.result().milliseconds | total
    return ", ".join(f"{name};dur={ms}" for name, ms in parts.items())
