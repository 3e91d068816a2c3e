"""`semsearch search`: ranked hits with path, line and a snippet."""

from typing import Annotated, Any

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
        typer.Option(
            "--instruct",
            help="The task, for models that take one: web, code, qa, duplicates or a sentence.",
        ),
    ] = None,
    rerank: Annotated[
        bool, typer.Option("--rerank", help="Let the reranker read the best hits and reorder them.")
    ] = False,
    reranker: Annotated[
        str | None,
        typer.Option(help="Which: qwen3-reranker-0.6b, a hub id or a folder. Implies --rerank."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="Time for it, for example 200ms or 1.5s: it reads as many as it can."),
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
    server: Annotated[
        str | None,
        typer.Option(
            help="Ask the service at this address; none: search in this process.",
            show_default="the running one",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Search a collection; exit code 1 when nothing was found.

    A running `semsearch serve` of the same home answers, as its model is loaded.
    """
    from app.cli.answers import NO_SERVER, Asked, found_here, from_running, from_service
    from app.cli.hits import show
    from app.cli.output import print_json, say

    start: Context = context.obj
    settings = start.settings(
        k=k, placement=placement, endpoints=endpoint, reranker=reranker, server=server
    )
    asked = Asked(
        query,
        collection or [settings.collection],
        {
            "mode": mode,
            "k": settings.k,
            "where": where,
            "instruction": instruction,
            "rerank": rerank or reranker is not None or budget is not None,
            "budget_ms": None if budget is None else _milliseconds(budget),
            "more": more,
            "neighbours": neighbours,
            "cursor": cursor,
        },
    )
    values = None
    if settings.server not in (None, NO_SERVER):
        key = settings.server_key.get_secret_value() if settings.server_key else None
        values = from_service(asked, str(settings.server), key)
    elif settings.server is None and not (placement or endpoint or reranker):
        values = from_running(asked, settings)
    if values is None:
        from app.cli.progress import watch

        with watch(as_json) as screen:
            values = found_here(asked, settings, screen)
    if values["degraded"]:
        reason = values["degraded_reason"]
        say(f"Searched by words only, as the model is out of reach: {reason}")
    if values["rerank"] is not None:
        say(_second_look(values["rerank"]))
    if as_json:
        print_json(values)
    else:
        show(values["hits"], several=len(asked.collections) > 1)
    if not values["hits"]:
        if not as_json:
            say(_nothing(query))
        raise typer.Exit(1)


def _nothing(query: str) -> str:
    """What to say when there is no hit, and what may help."""
    from indexer.storage.lexical_query import parse_query

    if parse_query(query).constraints:
        return (
            "Nothing found: words in quotes must be there as a phrase, and those after a minus "
            "must not. Without the marks all are looked for."
        )
    return "Nothing found."


def _second_look(values: dict[str, Any]) -> str:
    """What became of the wish to rerank."""
    if values["reason"] is not None:
        return f"Not reranked, as the reranker is out of reach: {values['reason']}"
    within = "" if values["budget_ms"] is None else f" within {values['budget_ms']:,.0f} ms"
    return f"Reranked {values['reranked']} of {values['candidates']} documents{within}."


def _milliseconds(budget: str) -> float:
    """A time such as 200ms or 1.5s."""
    import re

    from indexer.errors import UsageError

    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) ?(ms|s)", budget.strip().lower())
    if found is None:
        raise UsageError(f"--budget {budget}: give a time such as 200ms or 1.5s.")
    return float(found[1]) * (1 if found[2] == "ms" else 1000)
