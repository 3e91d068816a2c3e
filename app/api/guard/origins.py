"""Web pages must not talk to a service on this machine; this is where they are turned away.

Any page that is open in a browser can send requests to 127.0.0.1. Answers to them are hidden from
it, unless it first points its own name at 127.0.0.1 (DNS rebinding): then the browser thinks that
we are the page's own server. Requests of the first kind carry the page's Origin, or say
"cross-site" where they carry none; those of the second kind carry the page's name in Host.
"""

import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import errors

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_HEADERS = "Authorization, Content-Type, X-Api-Key, X-Request-Id"
_EXPOSED = "X-Request-Id, Server-Timing, Retry-After"
_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}

Place = tuple[str, int]  # name without brackets, port


class Origins:
    """Checks Host and Origin of every request, and answers preflights of the listed origins."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] | None, origins: Iterable[str]) -> None:
        """Guard the app.

        Args:
            app: what lies behind.
            hosts: names it may be called by; None for any. Those of listed origins count as well:
                behind a proxy that is how it is called.
            origins: other web origins whose pages may use it, as `https://name[:port]`.
        """
        self._app = app
        self._origins = frozenset(origins)
        self._hosts = None
        if hosts is not None:
            listed = (place_of(origin) for origin in self._origins)
            self._hosts = {host.lower() for host in hosts} | {p[0] for p in listed if p}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if (refusal := self._refusal(scope["scheme"], headers, origin)) is not None:
            await refusal(scope, receive, send)
        elif origin not in self._origins:
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _preflight(origin)(scope, receive, send)
        else:
            await self._app(scope, receive, _shown_to(origin, send))

    def _refusal(self, scheme: str, headers: Headers, origin: str | None) -> JSONResponse | None:
        hosts = headers.getlist("host")
        called = _place(hosts[0], scheme) if len(hosts) == 1 else None
        if self._hosts is not None and (called is None or called[0] not in self._hosts):
            return errors.answer(403, "This service is not called by that Host.", code="host")
        if origin is None:
            return _unasked(headers)
        if origin in self._origins or (called and place_of(origin, scheme) == called):
            return None
        return errors.answer(
            403,
            "Pages of another origin may not use this service. The setting allowed_origins lists "
            "those that may.",
            code="origin",
        )


def place_of(origin: str, scheme: str | None = None) -> Place | None:
    """(name, port) of an origin; None if it is none, or not of this scheme."""
    its_scheme, separator, host = origin.partition("://")
    if not separator or its_scheme not in _DEFAULT_PORTS or scheme not in (None, its_scheme):
        return None
    return _place(host, its_scheme)


def _place(host: str, scheme: str) -> Place | None:
    match = _HOST.fullmatch(host)
    if match is None:
        return None
    return match["name"].strip("[]").lower(), int(match["port"] or _DEFAULT_PORTS.get(scheme, 0))


def _unasked(headers: Headers) -> JSONResponse | None:
    """Refuse what a page of another site loads as an image or script: browsers send no Origin then.

    It could not read the answer, but it could see how long that takes, and keep us busy. Links from
    other sites do work.
    """
    other = headers.get("sec-fetch-site") in ("cross-site", "same-site")
    if other and headers.get("sec-fetch-mode") != "navigate":
        return errors.answer(403, "Pages of another site may not use this service.", code="origin")
    return None


def _preflight(origin: str | None) -> Response:
    headers = {
        "Access-Control-Allow-Origin": str(origin),
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _HEADERS,
        "Access-Control-Max-Age": "600",
        "Vary": "Origin",
    }
    return Response(status_code=204, headers=headers)


def _shown_to(origin: str | None, send: Send) -> Send:
    """A `send` that lets a listed page read the answer."""

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = str(origin)
            headers["Access-Control-Expose-Headers"] = _EXPOSED
            headers.add_vary_header("Origin")
        await send(message)

    return with_headers
