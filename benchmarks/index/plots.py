"""Pictures of what `study.py` and `compare.py` measured, as small SVG files.

    python benchmarks/index/plots.py results.json compare-200000-1024.json

Writes recall-N-D.svg (recall@10 against queries a second) for each size and dimension, and
growth-D.svg (latency at the target recall, RAM, build time, disk against the number of rows).
"""

import argparse
import fnmatch
from collections.abc import Callable
from pathlib import Path

from plot_series import Look, Measured, looks, read

from app.evaluation.page.axes import LogScale, Panel, RecallScale
from app.evaluation.page.svg import Drawing

HERE = Path(__file__).parent
LEAST_RECALL = 0.7  # what finds less is of no use, and would squeeze the rest
LEGEND = 230  # pixels
ROW = 17  # of the legend

Value = Callable[[Measured], float | None]


def draw_recall(measured: list[Measured], look: dict[str, Look], streams: int, path: Path) -> None:
    """Recall against speed at one size: the better, the further up and to the right."""
    fronts = {one.name: one.front(streams) for one in measured}
    fronts = {
        name: [(recall, speed) for recall, speed in front if recall >= LEAST_RECALL]
        for name, front in fronts.items()
    }
    fronts = {name: front for name, front in fronts.items() if front}
    if not fronts:
        return
    recalls, speeds = zip(*(pair for front in fronts.values() for pair in front), strict=True)
    height = max(460.0, ROW * len(fronts) + 90)
    drawing = Drawing(700 + LEGEND, height)
    scales = RecallScale.around(recalls), LogScale.around(speeds)
    panel = Panel(70, 46, 590, height - 100, *scales)
    one = measured[0]
    asked = "one query after the other" if streams == 1 else "two streams of single queries"
    title = f"{one.n:,} rows of {one.dimension:,} dimensions, {asked}"
    panel.draw(drawing, title, "recall@10", "queries a second")
    for name in look:
        if name in fronts:
            draw_curve(drawing, panel, fronts[name], look[name])
    draw_legend(drawing, 690, [(name, look[name]) for name in look if name in fronts])
    drawing.write(path)


def draw_growth(measured: list[Measured], look: dict[str, Look], target: float, path: Path) -> None:
    """Four panels, one line for each family: what becomes of it as rows come."""
    values: list[tuple[str, str, Value]] = [
        (f"Latency at recall@10 of {target:g}", "ms", lambda one: one.latency_ms(target)),
        ("RAM", "MiB", lambda one: one.figures.get("ram_mib")),
        ("Build", "s", lambda one: one.figures.get("build_s")),
        ("Disk, with the rows it needs", "MiB", lambda one: one.figures.get("disk_mib")),
    ]
    names = [name for name in look if any(one.name == name for one in measured)]
    drawing = Drawing(980 + LEGEND, max(750, ROW * len(names) + 90))
    drawing.text((70, 24), f"{measured[0].dimension:,} dimensions", kind="small")
    sizes = LogScale.around([one.n for one in measured])
    for i, (title, unit, value) in enumerate(values):
        curves = {name: curve_of(measured, name, value) for name in names}
        heights = [y for curve in curves.values() for _, y in curve]
        if not heights:
            continue
        place = 70 + 490 * (i % 2), 66 + 350 * (i // 2)
        panel = Panel(*place, 390, 250, sizes, LogScale.around(heights))
        panel.draw(drawing, title, "rows", unit)
        for name, curve in curves.items():
            if curve:
                draw_curve(drawing, panel, curve, look[name])
    draw_legend(drawing, 980, [(name, look[name]) for name in names])
    drawing.write(path)


def curve_of(measured: list[Measured], name: str, value: Value) -> list[tuple[float, float]]:
    """(rows, value) of one family, ascending; sizes without the value are left out."""
    pairs = [(float(one.n), value(one)) for one in measured if one.name == name]
    return sorted((n, max(v, 1e-3)) for n, v in pairs if v is not None)


def draw_curve(
    drawing: Drawing, panel: Panel, curve: list[tuple[float, float]], look: Look
) -> None:
    """One family's line."""
    points = [panel.place(x, y) for x, y in curve]
    drawing.curve(points, look.colour, look.dash, look.mark)


def draw_legend(drawing: Drawing, left: float, entries: list[tuple[str, Look]]) -> None:
    """A sample of each line with its name."""
    for i, (name, look) in enumerate(entries):
        y = 50 + ROW * i
        drawing.curve([(left, y), (left + 30, y)], look.colour, look.dash, look.mark)
        drawing.text((left + 42, y + 4), name)


def main() -> None:
    """Draw every size and dimension of the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, nargs="+", help="JSON of study.py or compare.py")
    parser.add_argument("--out", type=Path, default=HERE / "plots")
    parser.add_argument("--families", nargs="*", default=["*"], help="names or patterns")
    parser.add_argument("--target", type=float, default=0.99, help="recall of the latency")
    parser.add_argument("--streams", type=int, choices=(1, 2), default=1)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    everything = read(given.results)
    look = looks(everything)
    wanted = {name for some in given.families for name in fnmatch.filter(look, some)}
    everything = [one for one in everything if one.name in wanted]
    for dimension in sorted({one.dimension for one in everything}):
        here = [one for one in everything if one.dimension == dimension]
        draw_growth(here, look, given.target, given.out / f"growth-{dimension}.svg")
        for n in sorted({one.n for one in here}):
            some = [one for one in here if one.n == n]
            draw_recall(some, look, given.streams, given.out / f"recall-{n}-{dimension}.svg")


if __name__ == "__main__":
    main()
