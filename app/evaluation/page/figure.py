"""A picture of the page, and the frame that those with two axes share."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.evaluation.page.axes import Panel, Scale
from app.evaluation.page.labels import Box, along, draw_labels
from app.evaluation.page.looks import Look
from app.evaluation.page.svg import Drawing, Point

WIDTH = 440.0  # narrow, so that letters keep their size on a phone
_LEFT, _TOP, _RIGHT, _BOTTOM = 58.0, 30.0, 12.0, 46.0
_LABEL_ROOM = 14.0  # of height for each label


@dataclass(frozen=True)
class Figure:
    """A drawing with what is said under it."""

    svg: str
    note: str


@dataclass(frozen=True)
class Axes:
    """What a plot shows, across and up."""

    title: str
    across: str
    up: str


@dataclass(frozen=True)
class Series:
    """Points of one look, joined by a line if they are several; the last one bears the name."""

    look: Look
    points: Sequence[Point]  # in the values of the axes
    said: Sequence[str]  # of each point, when pointed at
    whiskers: Sequence[tuple[Point, Point]] = ()


def plot(
    name: str,
    axes: Axes,
    scales: tuple[Scale, Scale],
    series: Sequence[Series],
    front: Sequence[Point] = (),
) -> str:
    """The series in a frame, each named beside its last point."""
    height = 300 + _LABEL_ROOM * len(series)
    drawing = Drawing(WIDTH, height, name)
    wide, high = WIDTH - _LEFT - _RIGHT, height - _TOP - _BOTTOM
    panel = Panel(_LEFT, _TOP, wide, high, *scales)
    panel.draw(drawing, axes.title, axes.across, axes.up)
    corners = [panel.place(*point) for point in front]
    drawing.curve(corners, "currentColor", "4 3")
    for one in series:
        _draw(drawing, panel, one)
    frame = Box(_LEFT + 2, _TOP + 2, WIDTH - _RIGHT - 2, _TOP + high - 2)
    ends = [panel.place(*one.points[-1]) for one in series]
    busy = along([*pairwise(corners), *_strokes(panel, series)])
    draw_labels(drawing, ends, [one.look.name for one in series], frame, busy)
    told = "; ".join(f"{one.look.name}: {one.said[-1]}" for one in series)
    return drawing.inline(f"{axes.title}: {axes.up} against {axes.across}. {told}")


def _strokes(panel: Panel, series: Sequence[Series]) -> list[tuple[Point, Point]]:
    """Whiskers and lines, in pixels."""
    found = []
    for one in series:
        found += [(panel.place(*a), panel.place(*b)) for a, b in one.whiskers]
        found += pairwise([panel.place(*point) for point in one.points])
    return found


def _draw(drawing: Drawing, panel: Panel, one: Series) -> None:
    look = one.look
    drawing.lines([(panel.place(*a), panel.place(*b)) for a, b in one.whiskers], look.colour)
    drawing.curve([panel.place(*point) for point in one.points], look.colour, "")
    for point, said in zip(one.points, one.said, strict=True):
        drawing.mark(panel.place(*point), look.colour, look.mark, said, look.is_hollow)
