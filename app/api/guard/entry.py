"""Who may come in: known routes only, with a key where keys are asked for.

Without a key in the store, a service on loopback is open: whoever can connect is on this machine.
With one, or on an address that others can reach, every route but the open ones needs a key.
"""

import logging

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection
from starlette.websockets import WebSocketClose

from app.api import errors
from app.api.guard.access import EVERYTHING, Access
from app.api.guard.routes import OPEN, ROUTE, Found, Need
from app.keys.store import KeyStore
from indexer.errors import SemsearchError, codes_of

logger = logging.getLogger("semsearch")


class Entry:
    """Lets a request through to its route, or answers 401, 403, 404 or 405."""

    def __init__(self, app: ASGIApp, store: KeyStore, *, always: bool) -> None:
        """Guard the app.

        Args:
            app: what lies behind.
            store: the keys.
            always: ask for a key even if there is none, and so let nobody in.
        """
        self._app, self._store = app, store
        # Once closed, closed until restarted: revoking the last key must not open the doors.
        self._closed = always

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)  # no route has one
        elif scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Connection) -> JSONResponse | None:
        found: Found | None = scope[ROUTE]
        need = found.needs.get(scope["method"]) if found else None
        access = EVERYTHING
        if need is not OPEN:
            try:
                if self._asks():
                    secret = _secret(Request(scope))
                    key = self._store.find(secret) if secret else None
                    if key is None:
                        return _unknown(given=bool(secret))
                    access = Access.of_key(key)
            except SemsearchError as error:
                logger.error("nobody is let in: %s", error)
                return errors.answer(codes_of(error)[1], "The keys cannot be read.", code="keys")
        if found is None:
            return errors.answer(404, f"There is no {scope['path']!r} here.")
        if need is None:
            return _wrong_method(found)
        if need is not OPEN and need not in access.scopes:
            return _missing(need, access)
        access.attach(scope)
        return None

    def _asks(self) -> bool:
        self._closed = self._closed or bool(self._store.all())
        return self._closed


def _secret(request: Request) -> bytes:
    """The key that came with the request; empty without one."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode("latin-1")
    return request.headers.get("x-api-key", "").encode("latin-1")


def _unknown(*, given: bool) -> JSONResponse:
    said = "This key is not known here" if given else "This service asks for a key"
    code = "invalid_api_key" if given else "missing_api_key"
    answer = errors.answer(401, f"{said}. Send one as `Authorization: Bearer KEY`.", code=code)
    answer.headers["WWW-Authenticate"] = 'Bearer realm="semsearch"'
    return answer


def _missing(need: Need, access: Access) -> JSONResponse:
    has = ", ".join(sorted(access.scopes))
    return errors.answer(403, f"This needs the scope {need}; the key has: {has}.", code="forbidden")


def _wrong_method(found: Found) -> JSONResponse:
    allowed = ", ".join(sorted(found.needs))
    answer = errors.answer(405, f"{found.template} takes: {allowed}.")
    answer.headers["Allow"] = allowed
    return answer
