"""`semsearch search`: ranked hits with path, line and a snippet."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import Context, EndpointOption, JsonOption

if TYPE_CHECKING:
    from app.search.answer import Answer, Hit


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
    instruction: Annotated[
        str | None,
        typer.Option("--instruct", help="The task, for models that take instructions."),
    ] = None,
    placement: Annotated[
        str | None, typer.Option(help="gpu, cpu or remote.", show_default="auto")
    ] = None,
    endpoint: EndpointOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search a collection; exit code 1 when nothing was found."""
    from app.cli.output import print_json, say
    from app.cli.progress import watch
    from app.search.answer import Mode
    from app.search.collections import Collections
    from app.search.models import Models
    from app.search.service import SearchService
    from indexer.errors import UsageError

    start: Context = context.obj
    settings = start.settings(k=k, placement=placement, endpoints=endpoint)
    if mode not in set(Mode):
        raise UsageError(f"--mode {mode}: there are {', '.join(Mode)}.")
    opened = Collections(settings)
    names = collection or [settings.collection]
    try:
        with watch(as_json) as screen:
            models = Models(settings, screen.on_download, screen.note)
            service = SearchService(models.embedder_of, models.admit)
            answer = service.search(
                query, {n: opened.get(n) for n in names}, settings.k, Mode(mode), instruction
            )
    finally:
        opened.close()
    if answer.degraded_reason is not None:
        say(f"Searched by words only, as the model is out of reach: {answer.degraded_reason}")
    if as_json:
        print_json(answer.to_dict())
    else:
        _show(answer, several=len(names) > 1)
    if not answer.hits:
        if not as_json:
            say("Nothing found.")
        raise typer.Exit(1)


def _show(answer: "Answer", *, several: bool) -> None:
    import sys

    from app.cli.output import print_line, use_color

    color = use_color(sys.stdout)
    for hit in answer.hits:
        for line in _lines(hit, answer.query, color=color, several=several):
            print_line(line)


def _lines(hit: "Hit", query: str, *, color: bool, several: bool) -> list[str]:
    from app.cli.output import printable, shown_path
    from app.search.snippets import snippet

    bold, plain = ("\x1b[1m", "\x1b[0m") if color else ("", "")
    chunk = hit.chunk
    member = f"#{printable(chunk.member)}" if chunk.member else ""
    where = f"{shown_path(chunk.path)}{member}:{chunk.start_line}"
    head = f"{hit.rank:>2}. {hit.score:.3f}  {bold}{where}{plain}"
    if several:
        head += f"  [{hit.collection}]"
    about = [part for part in (" > ".join(chunk.heading) or chunk.title, chunk.place) if part]
    if about:
        head += f"  {printable(' - '.join(about))}"
    cut = snippet(chunk.text, query)
    before = "... " if cut.start > 0 else ""
    after = " ..." if cut.start + len(cut.text) < len(chunk.text) else ""
    shown = _marked(cut.text, cut.matches, color=color)
    return [head, f"    {before}{shown}{after}"]


def _marked(text: str, matches: tuple[tuple[int, int], ...], *, color: bool) -> str:
    """The snippet on one line, matches marked: by colour on a terminal, else by asterisks."""
    from app.cli.output import printable

    on, off = ("\x1b[1;33m", "\x1b[0m") if color else ("*", "*")
    parts: list[str] = []
    at = 0
    for start, end in matches:
        parts += [printable(_folded(text[at:start])), on, printable(text[start:end]), off]
        at = end
    parts.append(printable(_folded(text[at:])))
    return "".join(parts).strip()


def _folded(text: str) -> str:
    """Runs of white space as one space, so that a snippet is one line."""
    import re

    return re.sub(r"\s+", " ", text)
