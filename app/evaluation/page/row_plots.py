"""Plots with a row for each cell: percentiles of latency, and memory.

The name stands above its row, not beside it, so that the row is as wide as a phone.
"""

from collections.abc import Sequence

from app.evaluation.page.axes import LinearScale, LogScale, Panel, Scale
from app.evaluation.page.figure import WIDTH, Figure
from app.evaluation.page.labels import width_of
from app.evaluation.page.looks import Look, colour, looks
from app.evaluation.page.svg import Drawing
from app.evaluation.page.wording import ends, is_drawable, mebibytes, milliseconds
from app.evaluation.results import Estimate, Results

_LEFT, _TOP, _RIGHT, _BOTTOM = 14.0, 54.0, 20.0, 42.0
_ROW = 46.0
_FIRST = 28.0  # from the top of a row to its marks, below the name
_PERCENTILES = (("p50", "circle"), ("p95", "diamond"), ("p99", "triangle"))
_APART = 5.0  # percentiles of a row, so that their whiskers can be told apart


def latency(results: Results, clients: int) -> Figure | None:
    """Percentiles of the time of an answer with so many clients at once."""
    rows = [
        (cell, [getattr(cell.speed.search_ms[clients], name) for name, _ in _PERCENTILES])
        for cell in results.cells
        if cell.speed is not None and clients in cell.speed.search_ms
    ]
    rows = [(cell, row) for cell, row in rows if all(is_drawable(one.value) for one in row)]
    if not rows:
        return None
    scale = LogScale.around([x for _, row in rows for one in row for x in (one.value, *ends(one))])
    title = f"Answer time, {clients} client{'s at once' if clients > 1 else ''}"
    drawing, panel = _frame(
        f"l{clients}_", title, "ms, embedding of the query included", scale, len(rows)
    )
    _legend(drawing, [(name, "currentColor", mark) for name, mark in _PERCENTILES])
    look = looks(results.cells)
    for i, (cell, row) in enumerate(rows):
        values = " / ".join(milliseconds(one.value).removesuffix(" ms") for one in row)
        _name(drawing, i, look[cell.label], f"{values} ms")
        _percentiles(drawing, panel, i, row, look[cell.label])
    told = "; ".join(
        f"{look[cell.label].name}: " + ", ".join(milliseconds(one.value) for one in row)
        for cell, row in rows
    )
    svg = drawing.inline(f"{title}: p50, p95 and p99 of each cell. {told}")
    return Figure(svg, "Bars: 95 % intervals, by drawing whole rounds.")


def _percentiles(
    drawing: Drawing, panel: Panel, i: int, row: Sequence[Estimate], look: Look
) -> None:
    for number, one in enumerate(row):
        name, mark = _PERCENTILES[number]
        y = _TOP + i * _ROW + _FIRST + (number - 1) * _APART
        x = panel.place(one.value, 0)[0]
        left, right = (panel.place(end, 0)[0] for end in ends(one))
        drawing.lines([((left, y), (right, y))], look.colour)
        drawing.mark((x, y), look.colour, mark, f"{look.name}, {name}: {milliseconds(one.value)}")


def memory(results: Results) -> Figure | None:
    """Peak RAM and, where there is any, VRAM."""
    if not results.cells:
        return None
    cells = results.cells
    most = max(max(cell.peak_ram_bytes, cell.peak_vram_bytes or 0) for cell in cells) / (1 << 20)
    scale = LinearScale(0, max(most, 1) * 1.05)
    has_vram = any(cell.peak_vram_bytes for cell in cells)
    title = "Peak memory"
    drawing, panel = _frame(
        "m", title, "MiB, of the process with all that it started", scale, len(cells)
    )
    _legend(drawing, [("RAM", colour(0), "square")] + [("VRAM", colour(1), "square")] * has_vram)
    look = looks(cells)
    told = []
    for i, cell in enumerate(cells):
        sizes = [("RAM", cell.peak_ram_bytes)]
        sizes += [("VRAM", cell.peak_vram_bytes)] if cell.peak_vram_bytes else []
        words = ", ".join(f"{mebibytes(size)}{f' {kind}' * has_vram}" for kind, size in sizes)
        _name(drawing, i, look[cell.label], words)
        told.append(f"{look[cell.label].name}: {words}")
        for number, (kind, size) in enumerate(sizes):
            top = _TOP + i * _ROW + _FIRST - 6 + 8 * number
            right = panel.place(size / (1 << 20), 0)[0]
            said = f"{look[cell.label].name}: {mebibytes(size)} {kind}"
            drawing.bar((_LEFT, top), right - _LEFT, 7, colour(number), said)
    return Figure(drawing.inline(f"{title} of each cell. {'; '.join(told)}"), "")


def _frame(name: str, title: str, across: str, scale: Scale, rows: int) -> tuple[Drawing, Panel]:
    height = _TOP + _ROW * rows
    drawing = Drawing(WIDTH, height + _BOTTOM, name)
    panel = Panel(_LEFT, _TOP, WIDTH - _LEFT - _RIGHT, _ROW * rows, scale, LinearScale(0, 1))
    lines = []
    for value, label in scale.ticks():
        x = panel.place(value, 0)[0]
        drawing.text((x, height + 16), label, "middle", "small")
        lines += [
            ((x, _TOP + i * _ROW + _FIRST - 8), (x, _TOP + (i + 1) * _ROW - 4)) for i in range(rows)
        ]
    drawing.grid(lines)
    drawing.text((_LEFT, 20), title, kind="title")
    drawing.text((WIDTH / 2, height + 34), across, "middle", "small")
    return drawing, panel


def _legend(drawing: Drawing, entries: Sequence[tuple[str, str, str]]) -> None:
    left = _LEFT + 4
    for name, look, mark in entries:
        drawing.mark((left, 38), look, mark)
        drawing.text((left + 9, 42), name, kind="small")
        left += width_of(name) + 28


def _name(drawing: Drawing, i: int, look: Look, values: str) -> None:
    y = _TOP + i * _ROW + 11
    drawing.text((_LEFT, y), look.name)
    drawing.text((WIDTH - _RIGHT, y), values, "end", "small")
