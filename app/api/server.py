"""The server process, and how it ends: at the first signal politely, at the second at once."""

import os
import socket
import threading
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.api.guard.connection import server_options
from app.api.state import State
from app.running import announce, withdraw
from app.settings import Settings

# While requests are under way the port stays open, so that whoever watches /ready sees 503 there
# and not a closed door; but not for ever, as others keep asking.
_OPEN_S = 5.0
_FINISH_S = 20  # for the requests that run then
_LAST_S = 28.0  # from the first signal: what hangs in a thread is not waited for
_AT_ONCE_S = 1.0  # from the second


class Server(uvicorn.Server):
    """Ends within 30 s of SIGTERM or Ctrl-C, with the answers under way given."""

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self._state = state
        self._signals = 0
        self._stopping_at = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """See `uvicorn.Server.handle_exit`; called by the signals."""
        self._signals += 1
        self._captured_signals.append(sig)
        if self._signals == 1:
            self._stopping_at = time.monotonic()
            self._state.stop()
            _end_after(_LAST_S, sig)
            return
        self.should_exit = self.force_exit = True
        _end_after(_AT_ONCE_S, sig)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port, and tell `semsearch search` on this machine where it is."""
        await super().startup(sockets)
        if self.started and self.servers:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            announce(self._state.settings.home, f"http://{_as_asked(host)}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take that back, and close."""
        withdraw(self._state.settings.home)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Whether to close the port now; asked ten times a second."""
        ends = await super().on_tick(counter)
        if not self._signals:
            return ends
        open_s = time.monotonic() - self._stopping_at
        return ends or not self.server_state.tasks or open_s > _OPEN_S


def serve(app: FastAPI, settings: Settings) -> None:
    """Serve until a signal comes; it is raised again at the end."""
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=_FINISH_S,
        **server_options(),
    )
    Server(config, app.state.semsearch).run()


def _as_asked(host: str) -> str:
    """The address by which this machine reaches itself there."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - it says where others listen, it binds nothing
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _end_after(wait_s: float, sig: int) -> None:
    """End the process if it still runs then: a thread in the middle of its work cannot be told."""

    def end() -> None:
        time.sleep(wait_s)
        os._exit(128 + sig)

    threading.Thread(target=end, name="last-end", daemon=True).start()
