"""How large a body may be and how long it may take, however it is sent.

It is read here, whole, before anything is parsed: neither a length that lies nor a sender that
trickles reaches a parser, and no half-sent request holds anything but its own bytes.
"""

import re

from anyio import move_on_after
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import errors
from app.api.guard.json_values import has_more_values
from app.api.guard.routes import ROUTE, Found

BODY_S = 10.0  # a body of the greatest size within this time needs 3.4 Mbit/s
MAX_VALUES = 10_000  # of JSON: more than all fields of the largest request that makes sense
# But for token ids, of which OpenAI takes 300,000 in 2,048 lists.
MANY_VALUES = {"/v1/embeddings": 310_000}


class BodyLimit:
    """Hands on requests whose body is here and no burden; answers 413 and 408 to the others."""

    def __init__(self, app: ASGIApp, max_kib: int, body_s: float = BODY_S) -> None:
        self._app, self._max_kib, self._body_s = app, max_kib, body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        # What is no number does not get past the HTTP parser; this many digits is too many anyway.
        if not re.fullmatch("[0-9]{1,12}", declared) or int(declared) > self._max_kib << 10:
            await self._too_large()(scope, receive, send)
            return
        read: bytes | JSONResponse | None = None
        with move_on_after(self._body_s) as patience:
            read = await self._read(receive)
        if patience.cancelled_caught:
            await _too_slow(self._body_s)(scope, receive, send)
        elif isinstance(read, JSONResponse):
            await read(scope, receive, send)
        elif read is not None and has_more_values(read, limit := _max_values(scope)):
            await _too_many(limit)(scope, receive, send)
        elif read is not None:
            await self._app(scope, _replayed(read, receive), send)

    async def _read(self, receive: Receive) -> bytes | JSONResponse | None:
        """The body; an answer if it is too large; None if the sender has gone."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._max_kib << 10:
                return self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> JSONResponse:
        return errors.answer(
            413,
            f"The body is larger than {self._max_kib:,} KiB. Send less at a time, or raise the "
            "setting max_body_kib.",
            code="too_large",
        )


def _max_values(scope: Scope) -> int:
    found: Found | None = scope.get(ROUTE)
    return MANY_VALUES.get(found.template, MAX_VALUES) if found else MAX_VALUES


def _too_many(limit: int) -> JSONResponse:
    return errors.answer(
        413, f"The body holds more than {limit:,} values. Send less at a time.", code="too_large"
    )


def _too_slow(seconds: float) -> JSONResponse:
    answer = errors.answer(408, f"The body was not here after {seconds:g} s.", code="too_slow")
    answer.headers["Connection"] = "close"  # the rest of it is not waited for
    return answer


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body at once; what follows it comes from the connection."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
