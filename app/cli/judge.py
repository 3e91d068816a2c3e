"""`semsearch judge`: say which documents answer your queries, so that search can be measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.context import CollectionOption, Context, EndpointOption, JsonOption

if TYPE_CHECKING:
    from app.judging.store import Judgements
    from app.search.collections import Collections
    from app.settings import Settings


def judge(
    context: typer.Context,
    queries: Annotated[
        list[str] | None, typer.Argument(help="Queries to judge; none: asked for one by one.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--queries", help="A file with a query a line, or a queries.jsonl.", show_default=False
        ),
    ] = None,
    k: Annotated[
        int | None, typer.Option("-k", help="Documents of every search mode.", show_default="10")
    ] = None,
    collection: CollectionOption = None,
    placement: Annotated[
        str | None, typer.Option(help="gpu, cpu or remote.", show_default="auto")
    ] = None,
    endpoint: EndpointOption = None,
    again: Annotated[bool, typer.Option("--again", help="Ask about judged documents too.")] = False,
    show: Annotated[
        bool, typer.Option("--list", help="Only list the judged queries and their counts.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--export", help="Only write everything as a BEIR folder.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge which documents answer your queries, without seeing how they were ranked."""
    from app.cli.output import print_json
    from app.judging.store import read_judgements
    from app.search.collections import Collections
    from indexer.errors import UsageError

    start: Context = context.obj
    settings = start.settings(collection=collection, k=k, placement=placement, endpoints=endpoint)
    asked = queries or []
    if (show or folder is not None) and (asked or file is not None or (show and folder)):
        raise UsageError("--list and --export judge nothing: give one of them, and no queries.")
    opened = Collections(settings)
    try:
        if folder is not None:
            _export(opened, settings.collection, folder)
        elif not show:
            _judge(opened, settings, asked, file, again=again, as_json=as_json)
        opened.get()  # of a collection that is not there, nothing can be listed
        judgements = read_judgements(opened.folder(settings.collection))
    finally:
        opened.close()
    if as_json:
        print_json(_values(settings.collection, judgements))
    elif folder is None:
        _show(judgements, every=show)
    if show and not judgements.count:
        raise typer.Exit(1)


def _judge(
    opened: "Collections",
    settings: "Settings",
    queries: list[str],
    file: Path | None,
    *,
    again: bool,
    as_json: bool,
) -> None:
    from app.cli.judge_dialogue import Dialogue, asked_for
    from app.cli.output import say
    from app.cli.progress import watch
    from app.judging.store import JudgementStore
    from app.judging.wanted import wanted_queries
    from app.search.models import Models
    from app.search.service import SearchService

    collection = opened.get()
    with (
        watch(as_json) as screen,
        JudgementStore(opened.folder(settings.collection)) as store,
    ):
        named = wanted_queries(queries, file, store.judgements)
        models = Models(settings, screen.on_download, screen.note)
        service = SearchService(models.embedder_of, models.admit)
        wanted = iter(named) if named else asked_for(store)
        dialogue = Dialogue(store, service, collection, settings.k, again=again)
        try:
            dialogue.run(wanted)
        except KeyboardInterrupt:
            say("\nEverything judged so far is saved.")
            raise typer.Exit(130) from None


def _export(opened: "Collections", name: str, folder: Path) -> None:
    from app.cli.output import say, shown_path
    from app.evaluation.judged.export import export
    from app.judging.store import read_judgements
    from indexer.errors import UsageError

    collection = opened.get(name)
    judgements = read_judgements(opened.folder(name))
    if not judgements.count:
        raise UsageError("Nothing of this collection was judged yet. Run `semsearch judge` first.")
    written = export(collection, judgements, folder)
    judged = written.judged
    count = sum(len(grades) for grades in judged.qrels.values())
    for problem in judged.problems:
        say(problem)
    documents = _counted(written.documents, "document")
    queries = _counted(len(judged.queries), "query", "queries")
    where = shown_path(str(folder))
    say(f"Wrote {documents}, {queries} and {_counted(count, 'judgement')} to {where}.")


def _values(collection: str, judgements: "Judgements") -> dict[str, Any]:
    return {
        "collection": collection,
        "queries": [
            {
                "id": query,
                "text": text,
                "judged": len(judgements.qrels[query]),
                "relevant": _relevant(judgements, query),
            }
            for query, text in judgements.queries.items()
        ],
        "judgements": judgements.count,
        "queries_with_relevant": judgements.answered,
    }


def _relevant(judgements: "Judgements", query: str) -> int:
    return sum(grade > 0 for grade in judgements.qrels[query].values())


def _show(judgements: "Judgements", *, every: bool) -> None:
    """The queries as data; what they are worth, for the person."""
    from app.cli.output import print_line, printable, say, table
    from app.evaluation.judged.enough import too_few

    if every and judgements.count:
        rows = [
            [f"{_relevant(judgements, query)} of {len(grades)}", judgements.queries[query]]
            for query, grades in judgements.qrels.items()
        ]
        for line in table([["relevant", "query"], *rows]):
            print_line(printable(line))
    queries = _counted(len(judgements.queries), "query", "queries")
    say(f"{queries}, {_counted(judgements.count, 'judgement')}.")
    warning = too_few(judgements.answered)
    if warning is not None:
        say(warning)


def _counted(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
