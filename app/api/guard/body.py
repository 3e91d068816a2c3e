"""How large a body may be and how long it may take, whatever it holds and however it is sent.

It is read here, whole, before anything is parsed: neither a length that lies nor a sender that
trickles reaches a parser, and no half-sent request holds anything but its own bytes.
"""

import re

from anyio import move_on_after
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import errors

BODY_S = 10.0  # a body of the greatest size within this time needs 3.4 Mbit/s


class BodyLimit:
    """Hands on requests whose body is here; answers 413 and 408 to the others."""

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
        with move_on_after(self._body_s) as limit:
            read = await self._read(receive)
        if limit.cancelled_caught:
            await _too_slow(self._body_s)(scope, receive, send)
        elif isinstance(read, JSONResponse):
            await read(scope, receive, send)
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
