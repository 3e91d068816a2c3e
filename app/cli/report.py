"""`semsearch report`: an evaluation as a page and tables, or several evaluations compared."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import JsonOption

if TYPE_CHECKING:
    from app.evaluation.results import Results


def report(
    files: Annotated[
        list[Path], typer.Argument(help="JSON of an evaluation; several are compared.")
    ],
    folder: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write to.", show_default="beside the file"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the page, CSV and Markdown of an evaluation again, or compare several."""
    from app.evaluation.results import Results

    where = folder or files[0].parent
    # By name, and the same file only once: a run does not differ from itself.
    runs = {str(path): Results.read(path) for path in files}
    if len(runs) > 1:
        _compare(runs, where, as_json)
    else:
        _write(next(iter(runs.values())), where, as_json)


def _write(results: "Results", folder: Path, as_json: bool) -> None:
    from app.cli.output import print_json, print_line, printable, shown_path
    from app.evaluation.page.evaluation_page import write_pages
    from app.evaluation.page.recommendation import recommend

    paths = write_pages(results, folder)
    taken = recommend(results)
    if as_json:
        found = None if taken is None else {"cell": taken.cell.label, "reason": taken.reason}
        print_json({"files": [str(path) for path in paths], "recommendation": found})
        return
    for path in paths:
        print_line(shown_path(str(path)))
    reason = "No cell's quality was measured." if taken is None else taken.reason
    print_line(printable(reason))


def _compare(runs: "dict[str, Results]", folder: Path, as_json: bool) -> None:
    from app.cli.output import print_json, print_line, printable, say, shown_path, table
    from app.evaluation.page.comparison import compare
    from app.evaluation.page.comparison_page import comparison_html, comparison_tables
    from app.evaluation.page.evaluation_page import write_text

    comparison = compare(runs)
    path = write_text(folder / "compare.html", comparison_html(comparison))
    if as_json:
        print_json(comparison.model_dump(mode="json"))
        say(shown_path(str(path)))
        return
    for note in comparison.notes:
        print_line(printable(note))
    for one in comparison_tables(comparison):
        print_line()
        print_line(printable(one.title))
        rows = [[printable(words) for words in row] for row in (one.head, *one.rows)]
        for line in table(rows):
            print_line(f"  {line}")
    print_line()
    for drop in comparison.drops:
        print_line(printable(f"{drop}."))
    print_line(shown_path(str(path)))
