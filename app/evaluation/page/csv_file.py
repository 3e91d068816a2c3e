"""One row for each cell, for spreadsheets and programs."""

import csv
import io
from collections.abc import Iterator

from app.evaluation.page.wording import clean
from app.evaluation.results import Cell, Estimate, Measure, Results, Speed, Times

Value = str | float | None
_FORMULA = tuple("=+-@＝＋－＠")  # wide ones are read alike


def csv_text(results: Results) -> str:
    """Columns with units in their names; what a cell lacks stays empty."""
    rows = [dict(_columns(cell)) for cell in results.cells]
    head = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_harmless(name) for name in head])
    writer.writerows([_harmless(row.get(name)) for name in head] for row in rows)
    return out.getvalue()


def _harmless(value: Value) -> Value:
    """A spreadsheet would run a text that begins like a formula; an apostrophe makes it text.

    Control characters go too: a lone carriage return would begin a new row unquoted.
    """
    if not isinstance(value, str):
        return value
    text = clean(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def _columns(cell: Cell) -> Iterator[tuple[str, Value]]:
    named: dict[str, Value] = {
        "cell": cell.label,
        "model": cell.model,
        "dimension": cell.dimension,
        "mode": cell.mode,
        "index": cell.index,
        "engine": cell.engine,
    }
    yield from named.items()
    for way, measures in cell.quality.items():
        for name, measure in measures.items():
            yield from _measure(f"{way}_{name}", measure)
    if cell.agreement is not None:
        for name, value in cell.agreement.model_dump().items():
            yield f"agreement_{name}", value
    if cell.ann is not None:
        yield from _estimate("ann_recall_10", cell.ann.recall_10)
        yield "ann_build_s", cell.ann.build_s
        yield "ann_index_bytes", cell.ann.index_bytes
    if cell.indexing is not None:
        for name, value in cell.indexing.model_dump().items():
            yield f"indexing_{name}", value
    if cell.speed is not None:
        yield from _speed(cell.speed)
    yield "peak_ram_bytes", cell.peak_ram_bytes
    yield "peak_vram_bytes", cell.peak_vram_bytes


def _speed(speed: Speed) -> Iterator[tuple[str, Value]]:
    yield from _estimate("load_s", speed.load_s)
    yield from _times("cold", speed.cold_ms)
    for size, found in speed.embed_ms.items():
        yield from _times(f"embed_{size}", found)
    for clients, found in speed.search_ms.items():
        yield from _times(f"search_{clients}_clients", found)
    for clients, rate in speed.queries_per_s.items():
        yield from _estimate(f"queries_per_s_{clients}_clients", rate)
    yield from _estimate("tokens_per_s", speed.tokens_per_s)
    yield from _estimate("passages_per_s", speed.passages_per_s)
    if speed.joules_per_query is not None:
        yield from _estimate("joules_per_query", speed.joules_per_query)


def _measure(name: str, measure: Measure) -> Iterator[tuple[str, Value]]:
    yield from _estimate(name, measure.mean)
    yield f"{name}_difference", measure.difference
    yield f"{name}_p", measure.p


def _times(name: str, times: Times) -> Iterator[tuple[str, Value]]:
    yield f"{name}_n", times.n
    yield f"{name}_mean_ms", times.mean
    for percentile in ("p50", "p95", "p99"):
        yield from _estimate(f"{name}_{percentile}_ms", getattr(times, percentile))
    if times.ratio is not None:
        yield from _estimate(f"{name}_p50_ratio", times.ratio)


def _estimate(name: str, estimate: Estimate) -> Iterator[tuple[str, Value]]:
    yield name, estimate.value
    yield f"{name}_low", estimate.low
    yield f"{name}_high", estimate.high
