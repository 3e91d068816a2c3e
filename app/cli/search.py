"""`semsearch search`: ranked hits with path, line and a snippet."""

from typing import Annotated

import typer

from app.cli.context import Context, EndpointOption, JsonOption


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="What you are looking for, in your own words.")],
    collection: Annotated[
        list[str] | None,
        typer.Option("--collection", "-c", help="Collection; may repeat.", show_default="default"),
    ] = None,
    k: Annotated[
        int | None, typer.Option("-k", help="Hits, at most one per document.", show_default="10")
    ] = None,
    mode: Annotated[
        str,
        typer.Option(
            help="hybrid: by meaning and words; dense: by meaning; lexical: by words, no model."
        ),
    ] = "hybrid",
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            "-w",
            help="Which documents may be found: 'path:docs/** and type:md and not tag:draft'.",
        ),
    ] = None,
    instruction: Annotated[
        str | None,
        typer.Option("--instruct", help="The task, for models that take instructions."),
    ] = None,
    more: Annotated[
        int, typer.Option(help="Further matching passages shown under a document.")
    ] = 2,
    neighbours: Annotated[
        int, typer.Option("--neighbours", "-C", help="Passages shown before and after the best.")
    ] = 0,
    cursor: Annotated[
        str | None,
        typer.Option(help="`next` of the answer before, from --json: the hits after those."),
    ] = None,
    placement: Annotated[
        str | None, typer.Option(help="gpu, cpu or remote.", show_default="auto")
    ] = None,
    endpoint: EndpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search a collection; exit code 1 when nothing was found."""
    from app.cli.hits import show
    from app.cli.output import print_json, say
    from app.cli.progress import watch
    from app.search.collections import Collections
    from app.search.models import Models
    from app.search.query import Mode, Query
    from app.search.service import SearchService
    from indexer.errors import UsageError

    start: Context = context.obj
    settings = start.settings(k=k, placement=placement, endpoints=endpoint)
    if mode not in set(Mode):
        raise UsageError(f"--mode {mode}: there are {', '.join(Mode)}.")
    asked = Query(
        query,
        Mode(mode),
        settings.k,
        where=where,
        instruction=instruction,
        more=more,
        neighbours=neighbours,
        cursor=cursor,
    )
    opened = Collections(settings)
    names = collection or [settings.collection]
    try:
        with watch(as_json) as screen:
            models = Models(settings, screen.on_download, screen.note)
            service = SearchService(models.embedder_of, models.admit)
            answer = service.search(asked, {n: opened.get(n) for n in names})
    finally:
        opened.close()
    values = answer.to_dict()
    if answer.degraded_reason is not None:
        say(f"Searched by words only, as the model is out of reach: {answer.degraded_reason}")
    if as_json:
        print_json(values)
    else:
        show(values["hits"], several=len(names) > 1)
    if not answer.hits:
        if not as_json:
            say("Nothing found.")
        raise typer.Exit(1)
