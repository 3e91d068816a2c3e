"""The MCP tools over streamable HTTP at /mcp, where the extra package for it is installed.

Stateless and without streams: each request is answered whole, so nothing is held for clients that
never come back, and any worker may answer.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from fastapi import FastAPI
from starlette.routing import Route

from app.api.errors import ApiError
from app.api.guard.access import Access
from app.api.state import State
from app.mcp.library import Library

if TYPE_CHECKING:
    from app.mcp.results import Result

PATH = "/mcp"


@asynccontextmanager
async def serve_agents(app: FastAPI, state: State) -> AsyncIterator[None]:
    """Answer at /mcp while the context is open; without the extra there is no such route."""
    try:
        from mcp.server.streamable_http_manager import (
            StreamableHTTPASGIApp,
            StreamableHTTPSessionManager,
        )

        from app.mcp.server import create_server
    except ModuleNotFoundError as error:
        if error.name not in ("mcp", "mcp_types"):
            raise
        yield
        return

    def library_of(request: Any) -> Library:
        seen = state.seen_with(Access.of(request.scope))
        return Library(state.settings, seen.collections, state.service)

    async def on_thread(work: "Callable[[], Result]") -> "Result":
        return await run_sync(work)  # FastAPI's threads: as many as there are cores for

    server = create_server(library_of, on_thread, refusals=(ApiError,))
    manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
    route = Route(PATH, StreamableHTTPASGIApp(manager), include_in_schema=False)
    app.router.routes.append(route)
    try:
        async with manager.run():
            yield
    finally:
        app.router.routes.remove(route)
