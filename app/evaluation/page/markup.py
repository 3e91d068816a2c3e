"""HTML that needs nothing but itself: no script, no file beside it, nothing from a network."""

import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.evaluation.page.svg import STYLE
from app.evaluation.page.tables import Table
from app.evaluation.page.wording import clean

# Even if a string of the results got past the escaping, the browser would run and fetch nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def whole_page(title: str, body: Iterable[str]) -> str:
    """A document of these parts, which are HTML."""
    css = Path(__file__).with_name("page.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{STYLE}{css}</style>\n</head>\n<body>\n"
        f"<h1>{escaped(title)}</h1>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def escaped(text: str) -> str:
    """As text, whatever it holds."""
    return html.escape(clean(text))


def paragraph(text: str, kind: str = "") -> str:
    """Of plain text."""
    look = f' class="{kind}"' if kind else ""
    return f"<p{look}>{escaped(text)}</p>"


def heading(text: str) -> str:
    """Of a part of the page."""
    return f"<h2>{escaped(text)}</h2>"


def listed(items: Sequence[str]) -> str:
    """A list of plain texts."""
    return "<ul>" + "".join(f"<li>{escaped(item)}</li>" for item in items) + "</ul>"


def pairs(items: Sequence[tuple[str, str]]) -> str:
    """Names with what is said of them."""
    rows = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(words)}</dd>" for name, words in items)
    return f"<dl>{rows}</dl>"


def table(of: Table, taken: str = "") -> str:
    """With its title and note; the row named `taken` stands out."""
    head = "".join(f'<th scope="col">{escaped(cell)}</th>' for cell in of.head)
    rows = "\n".join(_row(row, row[0] == taken) for row in of.rows)
    return (
        f'{heading(of.title)}\n<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>" + (paragraph(of.note, "note") * bool(of.note))
    )


def _row(row: Sequence[str], is_taken: bool) -> str:
    name, *rest = row
    look = ' class="taken"' if is_taken else ""
    cells = "".join(f"<td>{escaped(cell)}</td>" for cell in rest)
    return f'<tr{look}><th scope="row">{escaped(name)}</th>{cells}</tr>'
