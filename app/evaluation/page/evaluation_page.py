"""The page of one evaluation, and all its files."""

from pathlib import Path

from app.evaluation.page import markup
from app.evaluation.page.csv_file import csv_text
from app.evaluation.page.facts import KNOWN_ITEMS, data_line, facts
from app.evaluation.page.figures import figures
from app.evaluation.page.looks import short_names
from app.evaluation.page.markdown_file import markdown_text
from app.evaluation.page.recommendation import recommend
from app.evaluation.page.tables import tables
from app.evaluation.results import Results
from indexer.errors import UsageError


def write_pages(results: Results, folder: Path) -> list[Path]:
    """results.html, .csv and .md in the folder, which is made if missing; their paths.

    Raises:
        UsageError: the folder cannot be written.
    """
    texts = {
        "results.html": page_html(results),
        "results.csv": csv_text(results),
        "results.md": markdown_text(results),
    }
    return [write_text(folder / name, text) for name, text in texts.items()]


def write_text(path: Path, text: str) -> Path:
    """A file of UTF-8, and the folder for it; the path.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror or error}. Name a folder that can be written: -o FOLDER."
        ) from error
    return path


def page_html(results: Results) -> str:
    """One self-contained page."""
    taken = recommend(results)
    names = short_names(results.cells)
    body = [markup.paragraph(data_line(results.data))]
    if results.data.known_items:
        body.append(
            markup.paragraph(
                f"{KNOWN_ITEMS}. Queries were made from titles, and each counts only its own "
                "document as relevant.",
                "lead warn",
            )
        )
    if taken is None:
        body.append(markup.paragraph("No cell's quality was measured.", "lead warn"))
    else:
        body.append(markup.paragraph(taken.reason, "lead"))
    if results.problems:
        body += [markup.heading("Know before you believe"), markup.listed(results.problems)]
    body.append(_figures(results))
    body += [
        markup.table(table, names[taken.cell.label] if taken else "") for table in tables(results)
    ]
    if results.not_run:
        missing = [f"{one.label}: {one.reason}" for one in results.not_run]
        body += [markup.heading("Not run"), markup.listed(missing)]
    body += [markup.heading("What was measured, where and how"), markup.pairs(facts(results))]
    return markup.whole_page(f"Evaluation on {results.data.name}", body)


def _figures(results: Results) -> str:
    drawn = [
        f"<figure>{figure.svg}"
        + (
            f'<figcaption class="note">{markup.escaped(figure.note)}</figcaption>'
            * bool(figure.note)
        )
        + "</figure>"
        for figure in figures(results)
    ]
    return f'<div class="figures">{"".join(drawn)}</div>' if drawn else ""
