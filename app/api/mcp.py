"""The MCP tools over streamable HTTP at /mcp, where the extra package for it is installed.

Stateless and without streams: each request is answered whole, so nothing is held for clients that
never come back, and any worker may answer.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.api.errors import ApiError
from app.api.guard.access import Access
from app.api.state import State
from app.mcp.library import Library

if TYPE_CHECKING:
    from app.mcp.results import Result

PATH = "/mcp"


class Agents:
    """The route for agents. Without the extra there is none."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._manager: Any = None  # of the MCP package; while `running`
        self.is_installed = find_spec("mcp") is not None

    def add_to(self, app: FastAPI) -> None:
        """Put the route into the application."""
        if self.is_installed:
            methods = ["GET", "POST", "DELETE"]
            app.router.routes.append(Route(PATH, self, methods=methods, include_in_schema=False))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._manager is None:
            raise ApiError(503, "The service is starting or stopping.", code="not_ready")
        await self._manager.handle_request(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Requests are answered while this is open."""
        if not self.is_installed:
            yield
            return
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        from app.mcp.server import create_server

        server = create_server(self._library_of, self._on_thread, refusals=(ApiError,))
        self._manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
        async with self._manager.run():
            yield
        self._manager = None

    def _library_of(self, request: Any) -> Library:
        seen = self._state.seen_with(Access.of(request.scope))
        return Library(self._state.settings, seen.collections, self._state.service)

    async def _on_thread(self, work: "Callable[[], Result]") -> "Result":
        """In a place of the line, beside the turns: a tool waits for the model on its thread."""
        with self._state.turns.place():
            return await self._state.turns.beside(work)
