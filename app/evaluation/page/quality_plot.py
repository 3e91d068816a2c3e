"""Quality against latency, and what dimensions a model may lose: the plots that choices rest on."""

from collections.abc import Mapping, Sequence

from app.evaluation.page.axes import LinearScale, ListedScale, LogScale
from app.evaluation.page.figure import Axes, Figure, Series, plot
from app.evaluation.page.looks import Look, colour, looks
from app.evaluation.page.recommendation import (
    Standing,
    pareto,
    primary_way,
    standings,
)
from app.evaluation.page.svg import MARKS, Point
from app.evaluation.page.wording import clean, ends, is_number, milliseconds, share
from app.evaluation.quality.metrics import PRIMARY
from app.evaluation.results import Cell, Measure, Results


def quality_and_latency(results: Results) -> Figure | None:
    """Every timed cell with its intervals, and the front of those that nothing beats."""
    timed = [one for one in standings(results) if one.latency_ms is not None]
    if not timed:
        return None
    look = looks(results.cells)
    series = [_point_of(one, look[one.cell.label]) for one in timed]
    tips = [tip for one in series for pair in one.whiskers for tip in pair]
    scales = LogScale.around([x for x, _ in tips]), LinearScale.around([y for _, y in tips])
    way = primary_way(results.cells)
    axes = Axes(
        "Quality against latency", "median answer time, one client, ms", f"{PRIMARY} ({way})"
    )
    svg = plot("q", axes, scales, series, _steps(pareto(timed)))
    return Figure(
        svg,
        "The better, the further up and to the left. Dashed: the Pareto front, whose cells no "
        "other beats in both. Bars: 95 % intervals, of quality over queries and of time over "
        "rounds. Hollow: an index of codes.",
    )


def _point_of(one: Standing, look: Look) -> Series:
    assert one.latency_ms is not None
    assert one.cell.speed is not None
    x, y = one.latency_ms, one.mean
    time, quality = one.cell.speed.search_ms[1].p50, one.quality.mean
    (left, right), (low, high) = ends(time), ends(quality)
    whiskers = [((x, low), (x, high)), ((left, y), (right, y))]
    said = f"{clean(one.cell.label)}: {PRIMARY} {share(quality)}, {milliseconds(x)}"
    return Series(look, [(x, y)], [said], whiskers)


def _steps(front: Sequence[Standing]) -> list[Point]:
    """From each cell of the front to the right until the next is reached."""
    corners: list[Point] = []
    for one in front:
        assert one.latency_ms is not None
        if corners:
            corners.append((one.latency_ms, corners[-1][1]))
        corners.append((one.latency_ms, one.mean))
    return corners


def by_dimension(results: Results) -> list[Figure]:
    """One plot for each measure, if a model was measured in several dimensions."""
    way = "dense" if any("dense" in cell.quality for cell in results.cells) else None
    names = [PRIMARY, "recall@100", "recall@10"]
    drawn = [
        _dimension_plot(name, results.cells, way or primary_way(results.cells) or "")
        for name in names
    ]
    return [figure for figure in drawn if figure is not None][:2]


def _dimension_plot(name: str, cells: Sequence[Cell], way: str) -> Figure | None:
    found: dict[tuple[str, str, str], dict[int, Measure]] = {}
    for cell in cells:
        measures = cell.quality.get(way, {})
        if name in measures and cell.dimension > 0 and is_number(measures[name].mean.value):
            key = cell.model, cell.mode, cell.index
            found.setdefault(key, {})[cell.dimension] = measures[name]
    found = {key: values for key, values in found.items() if len(values) > 1}
    if not found:
        return None
    series = [_line_of(look, found[key]) for key, look in _group_looks(list(found)).items()]
    dimensions = sorted({dimension for values in found.values() for dimension in values})
    heights = [y for one in series for pair in one.whiskers for _, y in pair]
    axes = Axes(f"{name} by dimension", "dimensions of a vector", f"{name} ({way})")
    scales = ListedScale(tuple(dimensions)), LinearScale.around(heights)
    letter = "d" + "".join(char for char in name if char.isalnum())
    return Figure(
        plot(letter, axes, scales, series),
        "Shorter vectors are the first dimensions of the model's own. Bars: 95 % intervals over "
        "queries.",
    )


def _group_looks(keys: Sequence[tuple[str, str, str]]) -> Mapping[tuple[str, str, str], Look]:
    """Each group named by what tells it from the others."""
    differs = [len({key[i] for key in keys}) > 1 for i in range(3)]
    found = {}
    for number, key in enumerate(keys):
        model = key[0].rstrip("/").rsplit("/", 1)[-1]
        parts = [part for part, tells in zip((model, *key[1:]), differs, strict=True) if tells]
        name = clean(" ".join(parts or [key[1]]))
        mark = MARKS[number % len(MARKS)]
        found[key] = Look(name, colour(number), mark, key[2] == "codes")
    return found


def _line_of(look: Look, values: Mapping[int, Measure]) -> Series:
    pairs = [(float(dimension), values[dimension].mean) for dimension in sorted(values)]
    return Series(
        look,
        [(dimension, mean.value) for dimension, mean in pairs],
        [f"{dimension:,.0f} dimensions: {share(mean)}" for dimension, mean in pairs],
        [((x, ends(mean)[0]), (x, ends(mean)[1])) for x, mean in pairs],
    )
