"""The MCP server over stdin and stdout, until stdin ends."""

from collections.abc import Callable

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from mcp.server.stdio import stdio_server

from app.mcp.library import Library
from app.mcp.results import Result
from app.mcp.server import create_server
from app.threads import requests_at_once


async def serve(library: Library) -> None:
    """Answer one client; tools run on as many threads as there are cores for."""
    limiter = CapacityLimiter(requests_at_once(library.settings))

    async def on_thread(work: Callable[[], Result]) -> Result:
        return await run_sync(work, limiter=limiter)

    server = create_server(lambda _request: library, on_thread)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
