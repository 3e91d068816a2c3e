"""Labels beside the points that they name, none over another or over a point."""

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.evaluation.page.svg import Drawing, Point

HEIGHT = 13.0
_WIDTH = 6.6  # of a letter of 12 px, on average: generous for common fonts
_MARK = 6.0  # half the box that a mark needs
_NEAR = 12.0  # a label so near needs no line to its point
_FURTHEST = 260
_TRIES = 14  # free places, nearest first, of which one may be clear of lines
_TURNS = tuple(math.radians(turn) for turn in (0, 180, -90, 90, -35, 35, 145, -145, -65, 65))


@dataclass(frozen=True)
class Box:
    """A rectangle that something takes."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        """Whether both share a place."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def lies_in(self, other: "Box") -> bool:
        """Whether the other one holds all of this one."""
        across = other.left <= self.left and self.right <= other.right
        return across and other.top <= self.top and self.bottom <= other.bottom


def width_of(words: str) -> float:
    """About how many pixels a text of 12 px takes."""
    return sum(12.0 if unicodedata.east_asian_width(char) in "WF" else _WIDTH for char in words)


def along(lines: Sequence[tuple[Point, Point]]) -> list[Box]:
    """Small boxes along straight lines, for labels to keep off."""
    boxes = []
    for (a, b), (c, d) in lines:
        steps = max(1, round(math.dist((a, b), (c, d)) / 4))
        for step in range(steps + 1):
            x, y = a + (c - a) * step / steps, b + (d - b) * step / steps
            boxes.append(Box(x - 1, y - 1, x + 1, y + 1))
    return boxes


def place_labels(
    points: Sequence[Point], words: Sequence[str], within: Box, drawn: Sequence[Box] = ()
) -> list[Box | None]:
    """A box for each label, near its point and off what is drawn; None where no room is left.

    Points with the fewest neighbours come last: they find room anywhere.
    """
    taken = [Box(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in points]
    found: list[Box | None] = [None] * len(points)
    for i in sorted(range(len(points)), key=lambda i: _loneliness(points[i], points)):
        free = [
            box
            for box in _around(points[i], width_of(words[i]))
            if box.lies_in(within) and not any(box.meets(other) for other in taken)
        ]
        # Rather over a line than far away or nowhere: letters have a halo.
        clear = (box for box in free[:_TRIES] if not any(box.meets(line) for line in drawn))
        found[i] = next(clear, free[0] if free else None)
        taken += [box for box in [found[i]] if box is not None]
    return found


def draw_labels(
    drawing: Drawing,
    points: Sequence[Point],
    words: Sequence[str],
    within: Box,
    drawn: Sequence[Box] = (),
) -> None:
    """Each label near its point, with a thin line to it from further off."""
    placed = place_labels(points, words, within, drawn)
    for point, box in zip(points, placed, strict=True):
        if box is not None:
            end = (
                min(max(point[0], box.left), box.right),
                min(max(point[1], box.top), box.bottom),
            )
            if math.dist(point, end) > _NEAR:
                drawing.lines([(point, end)], "currentColor")
    for box, text in zip(placed, words, strict=True):
        if box is not None:
            drawing.text((box.left, box.bottom - 3), text, kind="label")


def _loneliness(point: Point, points: Sequence[Point]) -> float:
    """Distance to the nearest other point."""
    return min((math.dist(point, other) for other in points if other is not point), default=0.0)


def _around(point: Point, width: float) -> Iterator[Box]:
    """Boxes ever further from the point, at each distance to its right first."""
    for distance in range(9, _FURTHEST, 7):
        for turn in _TURNS:
            x = point[0] + distance * math.cos(turn)
            y = point[1] + distance * math.sin(turn)
            side = math.cos(turn)
            left = x - width / 2 if abs(side) < 0.1 else x if side > 0 else x - width
            yield Box(left, y - HEIGHT / 2, left + width, y + HEIGHT / 2)
