"""Scales and a framed panel to draw curves in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.evaluation.page.svg import Drawing, Point

_RECALLS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
_PERFECT = 0.9995  # and all above lie at the end of the scale, which is labelled 1
# Decades, below which more than the powers of ten is labelled.
_CLOSE = 2.3
_VERY_CLOSE = 0.65


@dataclass(frozen=True)
class LogScale:
    """Equal factors are equal distances."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Sequence[float]) -> "LogScale":
        """With a little room on either side."""
        return cls(min(values) / 1.25, max(values) * 1.25)

    def share(self, value: float) -> float:
        """Where between the ends, 0 to 1."""
        return math.log(value / self.low) / math.log(self.high / self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """(value, label)."""
        decades = math.log10(self.high / self.low)
        steps: tuple[float, ...] = (1, 2, 5) if decades < _CLOSE else (1,)
        if decades < _VERY_CLOSE:
            steps = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values = [step * 10.0**power for power in powers for step in steps]
        return [(value, short(value)) for value in values if self.low <= value <= self.high]


@dataclass(frozen=True)
class ListedScale:
    """Equal factors are equal distances, and only these values are labelled."""

    values: tuple[int, ...]  # ascending, at least two

    def share(self, value: float) -> float:
        """Where between the ends, 0 to 1, with a margin at either."""
        low, high = self.values[0], self.values[-1]
        return 0.06 + 0.88 * math.log(value / low) / math.log(high / low)

    def ticks(self) -> list[tuple[float, str]]:
        """(value, label)."""
        return [(value, f"{value:,}") for value in self.values]


@dataclass(frozen=True)
class LinearScale:
    """Equal differences are equal distances."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Sequence[float]) -> "LinearScale":
        """With a little room on either side."""
        room = (max(values) - min(values)) * 0.08 or abs(values[0]) * 0.1 or 0.1
        return cls(min(values) - room, max(values) + room)

    def share(self, value: float) -> float:
        """Where between the ends, 0 to 1."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """(value, label), about five."""
        rough = (self.high - self.low) / 6
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * size for size in (1, 2, 5, 10) if power * size >= rough)
        numbers = range(math.ceil(self.low / step), math.floor(self.high / step) + 1)
        return [(step * number, short(round(step * number, 12))) for number in numbers]


@dataclass(frozen=True)
class RecallScale:
    """Halving what is missed is the same distance everywhere."""

    low: float

    @classmethod
    def around(cls, values: Sequence[float]) -> "RecallScale":
        """From the tick below the least."""
        least = min(values)
        return cls(max((tick for tick in _RECALLS if tick <= least), default=_RECALLS[0]))

    def share(self, value: float) -> float:
        """Where between the ends, 0 to 1."""
        missed = 1 - min(value, _PERFECT)
        return math.log((1 - self.low) / missed) / math.log((1 - self.low) / (1 - _PERFECT))

    def ticks(self) -> list[tuple[float, str]]:
        """(value, label)."""
        labelled = [(tick, f"{tick:g}") for tick in _RECALLS if tick >= self.low]
        return [*labelled, (1.0, "1")]


Scale = LogScale | LinearScale | ListedScale | RecallScale


def short(value: float) -> str:
    """A number of one digit that counts: 200k, 1M, 0.05."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:.4g}"


@dataclass(frozen=True)
class Panel:
    """A frame with two scales, at a place in the drawing."""

    left: float
    top: float
    width: float
    height: float
    across: Scale
    up: Scale

    def place(self, x: float, y: float) -> Point:
        """Of a pair of values."""
        return (
            self.left + self.width * self.across.share(x),
            self.top + self.height * (1 - self.up.share(y)),
        )

    def draw(self, drawing: Drawing, title: str, across: str, up: str) -> None:
        """Grid, labels and what they mean."""
        right, bottom = self.left + self.width, self.top + self.height
        lines = [
            ((self.left, bottom), (right, bottom)),
            ((self.left, self.top), (self.left, bottom)),
        ]
        for value, label in self.across.ticks():
            x = self.left + self.width * self.across.share(value)
            lines.append(((x, self.top), (x, bottom)))
            drawing.text((x, bottom + 16), label, "middle", "small")
        for value, label in self.up.ticks():
            y = self.top + self.height * (1 - self.up.share(value))
            lines.append(((self.left, y), (right, y)))
            drawing.text((self.left - 6, y + 4), label, "end", "small")
        drawing.grid(lines)
        drawing.text((self.left, self.top - 10), title, kind="title")
        drawing.text((self.left + self.width / 2, bottom + 34), across, "middle", "small")
        drawing.text((self.left - 46, self.top + self.height / 2), up, "middle", "small", True)
