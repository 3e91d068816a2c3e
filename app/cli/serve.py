"""`semsearch serve`: the HTTP service."""

from typing import Annotated

import typer

from app.cli.context import Context, EndpointOption


def serve(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on.", show_default="8765")
    ] = None,
    collection: Annotated[
        str | None,
        typer.Option("--collection", "-c", help="Collection used when a request names none."),
    ] = None,
    placement: Annotated[
        str | None, typer.Option(help="gpu, cpu or remote.", show_default="auto")
    ] = None,
    endpoint: EndpointOption = None,
) -> None:
    """Serve the collections over HTTP; new commits are seen without a restart."""
    from app.api import server
    from app.api.application import create_app
    from app.cli.output import say

    start: Context = context.obj
    settings = start.settings(
        host=host, port=port, collection=collection, placement=placement, endpoints=endpoint
    )
    app = create_app(settings)
    say(f"Serving {settings.collections_folder} on http://{settings.host}:{settings.port}")
    say(f"Open http://{settings.host}:{settings.port} in a browser. Ctrl-C ends it.")
    server.serve(app, settings)
