"""A comparison of runs as tables and as a page."""

from app.evaluation.page import markup
from app.evaluation.page.comparison import CellInRun, Compared, ComparedCell, Comparison
from app.evaluation.page.tables import Table
from app.evaluation.page.wording import (
    NOTHING,
    interval,
    mebibytes,
    probability,
)

_NOTE = (
    "In brackets the difference from the first run that has the cell, and p: how often chance "
    "alone gives so great a difference (paired randomisation over queries, two-sided)."
)


def comparison_tables(comparison: Comparison) -> list[Table]:
    """A table for each cell, a column for each run."""
    return [_table(cell) for cell in comparison.cells]


def comparison_html(comparison: Comparison) -> str:
    """One self-contained page."""
    body = [markup.paragraph(f"{', '.join(comparison.runs)} on {comparison.data}")]
    drops = comparison.drops
    said = "; ".join(drops) if drops else "No cell's ndcg@10 dropped by more than chance explains"
    body.append(markup.paragraph(f"{said}.", "lead warn" if drops else "lead"))
    body += [markup.listed(comparison.notes)] if comparison.notes else []
    body += [markup.table(table) for table in comparison_tables(comparison)]
    body.append(markup.paragraph(_NOTE, "note"))
    return markup.whole_page(f"Runs on {comparison.data} compared", body)


def _table(cell: ComparedCell) -> Table:
    names = dict.fromkeys(
        (way, name) for run in cell.runs for way, found in run.quality.items() for name in found
    )
    rows = [
        (f"{way} {name}", *(_quality(run.quality.get(way, {}).get(name)) for run in cell.runs))
        for way, name in names
    ]
    rows += [
        ("answer p50, ms", *(interval(run.search_p50_ms) for run in cell.runs)),
        ("p50 / own reference's", *(_ratio(run) for run in cell.runs)),
        ("peak RAM", *(mebibytes(run.peak_ram_bytes) for run in cell.runs)),
    ]
    if any(run.peak_vram_bytes for run in cell.runs):
        rows.append(("peak VRAM", *(_vram(run) for run in cell.runs)))
    kept = [row for row in rows if any(words != NOTHING for words in row[1:])]
    return Table(cell.label, ("", *(run.run for run in cell.runs)), tuple(kept))


def _quality(found: Compared | None) -> str:
    if found is None:
        return NOTHING
    if found.difference is None:
        return f"{found.mean:.3f}"
    doubt = "" if found.p is None else f", {probability(found.p)}"
    return f"{found.mean:.3f} ({found.difference:+.3f}{doubt})"


def _ratio(run: CellInRun) -> str:
    return "is the reference" if run.is_reference else interval(run.ratio)


def _vram(run: CellInRun) -> str:
    return NOTHING if run.peak_vram_bytes is None else mebibytes(run.peak_vram_bytes)
