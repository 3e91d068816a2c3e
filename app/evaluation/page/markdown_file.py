"""The tables of an evaluation for a README."""

import re

from app.evaluation.page.facts import facts
from app.evaluation.page.recommendation import recommend
from app.evaluation.page.tables import Table, tables
from app.evaluation.page.wording import clean
from app.evaluation.results import Results

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&!])")


def markdown_text(results: Results) -> str:
    """Facts, recommendation and tables."""
    taken = recommend(results)
    parts = [f"## {escaped(results.data.name)}"]
    parts += [escaped(taken.reason)] if taken else []
    parts += ["\n".join(f"- {name}: {escaped(words)}" for name, words in facts(results))]
    parts += [f"- Problem: {escaped(problem)}" for problem in results.problems]
    for table in tables(results):
        parts += [f"### {escaped(table.title)}", _table(table)]
        parts += [escaped(table.note)] if table.note else []
    if results.not_run:
        rows = [f"- {escaped(f'{one.label}: {one.reason}')}" for one in results.not_run]
        parts += ["### Not run", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """As plain text on one line, whatever it holds."""
    return _SPECIAL.sub(r"\\\1", clean(text))


def _table(table: Table) -> str:
    lines = [table.head, tuple("---" for _ in table.head), *table.rows]
    first, rule, *rest = ["| " + " | ".join(escaped(cell) for cell in row) + " |" for row in lines]
    return "\n".join([first, rule, *rest])
