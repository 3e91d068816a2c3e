"""How the HTTP server is run: slow senders are cut, idle ones are counted, nothing is told.

uvicorn has a timeout for idle connections after an answer, but none for a connection that sends no
request, half of one, or the rest of a body nobody wants. A few hundred of these would hold the
service for as long as they like.
"""

import asyncio
import sys
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.api.guard.body import BODY_S

HEADERS_S = 10.0
_REST_S = 2.0  # after `BodyLimit` has answered, for what is still on its way
CONNECTIONS = 2_048  # the last wall: beyond it uvicorn answers 503 before we see the request
_FILES = 4 * CONNECTIONS


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, whose patience with a sender has an end."""

    headers_s = HEADERS_S
    body_s = BODY_S + _REST_S
    unread_s = 30.0

    _cut_at: asyncio.TimerHandle | None = None
    _waits_for_body = False

    # uvicorn's own signature, narrower than asyncio's.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take what came; wait on for what is missing."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Keep one timer running from the first byte of a request's part to the last.

        More bytes of the same part do not prolong it: a byte every few seconds is the oldest way
        to hold a server.
        """
        body = self.conn.their_state is h11.SEND_BODY
        if not body and self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._cut_at is None or body != self._waits_for_body:
            self._stop()
            self._waits_for_body = body
            self._cut_at = self.loop.call_later(self.body_s if body else self.headers_s, self._cut)

    def _stop(self) -> None:
        if self._cut_at is not None:
            self._cut_at.cancel()
            self._cut_at = None

    def _cut(self) -> None:
        self._cut_at = None
        self._close()

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that asks nothing more."""
        self._close()

    def _close(self) -> None:
        """Close it, also if the other side does not read the answer: that would wait for ever."""
        if not self.transport.is_closing():
            self.transport.close()
            self.loop.call_later(self.unread_s, self.transport.abort)


def server_options() -> dict[str, Any]:
    """What `uvicorn.Config` is given beside the application and its address."""
    _allow_files()
    return {
        "http": PatientProtocol,
        "ws": "none",
        "limit_concurrency": CONNECTIONS,
        "timeout_keep_alive": 5,
        "proxy_headers": False,  # nobody's word is taken for where a request comes from
        "server_header": False,
        "access_log": False,
        "log_config": _LOGS,
    }


_LOGS: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "app.api.guard.request_id.RequestIdFilter"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(request_id)s %(message)s"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["request_id"],
        }
    },
    "loggers": {
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "semsearch": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
    },
}


def _allow_files() -> None:
    """Let idle connections not use up the file descriptors that searches need."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
