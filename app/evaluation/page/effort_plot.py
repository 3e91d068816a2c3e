"""What an index finds against how hard it looks."""

from app.evaluation.page.axes import LogScale, RecallScale
from app.evaluation.page.figure import Axes, Figure, Series, plot
from app.evaluation.page.looks import Look, looks
from app.evaluation.page.wording import is_drawable, milliseconds
from app.evaluation.results import Cell, CurvePoint, Results

_LEAST = 0.5  # what finds less is of no use, and would squeeze the rest


def recall_and_effort(results: Results) -> Figure | None:
    """A curve for each cell whose index was measured by effort."""
    look = looks(results.cells)
    curves = [(cell, _points_of(cell)) for cell in results.cells]
    series = [_curve_of(points, look[cell.label]) for cell, points in curves if points]
    if not series:
        return None
    points = [point for one in series for point in one.points]
    scales = LogScale.around([x for x, _ in points]), RecallScale.around([y for _, y in points])
    axes = Axes("Recall against search effort", "time of a search by vector, ms", "recall@10")
    return Figure(
        plot("e", axes, scales, series),
        "Share of the ten nearest passages that exact search finds, by how many lists of the "
        "index are scanned and how many passages are then scored exactly. Measured when the index "
        "was built, on one thread, embedding excluded.",
    )


def _points_of(cell: Cell) -> list[CurvePoint]:
    curve = () if cell.ann is None else cell.ann.curve
    usable = [p for p in curve if p.recall_10 >= _LEAST and is_drawable(p.latency_ms)]
    return sorted(usable, key=lambda point: point.latency_ms)


def _curve_of(points: list[CurvePoint], look: Look) -> Series:
    return Series(
        look,
        [(point.latency_ms, point.recall_10) for point in points],
        [
            f"{point.lists:,} lists, {point.candidates:,} candidates: recall@10 "
            f"{point.recall_10:.4f} in {milliseconds(point.latency_ms)}"
            for point in points
        ],
    )
