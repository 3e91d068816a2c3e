"""`semsearch mcp`: the tools for agents, over stdio."""

from typing import Annotated

import typer

from app.cli.context import Context, EndpointOption


def mcp(
    context: typer.Context,
    collection: Annotated[
        str | None,
        typer.Option("--collection", "-c", help="Collection used when a tool names none."),
    ] = None,
    placement: Annotated[
        str | None, typer.Option(help="gpu, cpu or remote.", show_default="auto")
    ] = None,
    endpoint: EndpointOption = None,
) -> None:
    """Serve agents over stdio (MCP); `semsearch serve` does so over HTTP at /mcp."""
    import logging
    import sys

    import anyio

    from app.mcp.library import Library
    from app.search.collections import Collections
    from app.search.models import Models
    from app.search.service import SearchService
    from indexer.errors import UsageError

    try:
        from app.mcp.stdio import serve
    except ModuleNotFoundError as error:
        if error.name not in ("mcp", "mcp_types"):
            raise
        raise UsageError(
            "The MCP server needs an extra package: pip install 'semsearch[mcp]'"
        ) from None

    start: Context = context.obj
    settings = start.settings(collection=collection, placement=placement, endpoints=endpoint)
    # stdout belongs to the protocol: nothing else may be written there.
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    collections = Collections(settings)
    models = Models(settings, say=logging.getLogger("semsearch").info)
    service = SearchService(models.embedder_of, models.admit)
    try:
        anyio.run(serve, Library(settings, collections, service))
    finally:
        collections.close()
