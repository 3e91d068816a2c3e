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
        typer.Option("--instruct", help="The task, for models that take instructions."),
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
    as_json: JsonOption = False,
) -> None:
    """Search a collection; exit code 1 when nothing was found."""
    from app.cli.hits import show
    from app.cli.output import print_json, say
    from app.cli.progress import watch
    from app.search.collections import Collections
    from app.search.models import Models
    from app.search.query import Mode, Query
    from app.search.rerankers import Rerankers
    from app.search.service import SearchService
    from indexer.errors import UsageError

    start: Context = context.obj
    settings = start.settings(k=k, placement=placement, endpoints=endpoint, reranker=reranker)
    if mode not in set(Mode):
        raise UsageError(f"--mode {mode}: there are {', '.join(Mode)}.")
    asked = Query(
        query,
        Mode(mode),
        settings.k,
        where=where,
        instruction=instruction,
        rerank=rerank or reranker is not None or budget is not None,
        budget_s=None if budget is None else _seconds(budget),
        more=more,
        neighbours=neighbours,
        cursor=cursor,
    )
    opened = Collections(settings)
    names = collection or [settings.collection]
    try:
        with watch(as_json) as screen:
            models = Models(settings, screen.on_download, screen.note)
            rerankers = Rerankers(settings, screen.on_download, screen.note)
            service = SearchService(models.embedder_of, models.admit, reranking=rerankers.get)
            answer = service.search(asked, {n: opened.get(n) for n in names})
    finally:
        opened.close()
    values = answer.to_dict()
    if answer.degraded_reason is not None:
        say(f"Searched by words only, as the model is out of reach: {answer.degraded_reason}")
    if values["rerank"] is not None:
        say(_second_look(values["rerank"]))
    if as_json:
        print_json(values)
    else:
        show(values["hits"], several=len(names) > 1)
    if not answer.hits:
        if not as_json:
            say("Nothing found.")
        raise typer.Exit(1)


def _second_look(values: dict[str, Any]) -> str:
    """What became of the wish to rerank."""
    if values["reason"] is not None:
        return f"Not reranked, as the reranker is out of reach: {values['reason']}"
    within = "" if values["budget_ms"] is None else f" within {values['budget_ms']:,.0f} ms"
    return f"Reranked {values['reranked']} of {values['candidates']} documents{within}."


def _seconds(budget: str) -> float:
    """A time such as 200ms or 1.5s."""
    import re

    from indexer.errors import UsageError

    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?) ?(ms|s)", budget.strip().lower())
    if found is None:
        raise UsageError(f"--budget {budget}: give a time such as 200ms or 1.5s.")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)
