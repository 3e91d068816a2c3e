"""What an index was measured to find: recall against exact search by effort, on its own vectors.

Frozen data that is stored beside the codes; `measure` fills it.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from typing import Any, Self

# Recall is measured at these depths: a search for k takes the effort of the first one that is at
# least k, or at least k over the share of rows that its filter leaves.
DEPTHS = (10, 100, 1000)
# A row far from the last one is read so many times slower than the next one: of a million, 10,000
# in runs of ten took 2.4 to 3.4 ms and one by one 3.8 to 6.5, where a scan takes 0.1 us a row.
SCATTERED = 4.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to look."""

    lists: int  # inverted lists scanned
    candidates: int  # rows scored exactly, at least

    def times(self, factor: float) -> Self:
        """So many times as hard, rounded up."""
        lists, candidates = (math.ceil(n * factor) for n in (self.lists, self.candidates))
        return replace(self, lists=lists, candidates=candidates)


@dataclass(frozen=True, slots=True)
class Point:
    """One measured effort."""

    depth: int  # k of the recall
    effort: Effort
    recall: float  # share of the true k nearest that were found, ties by score
    recall_low: float  # lower end of its 95 % interval over the queries
    latency_ms: float  # median of single queries on one thread


@dataclass(frozen=True, slots=True)
class Certificate:
    """Recall by effort, and the effort that was chosen for each depth."""

    target: float
    queries: int  # made of rows held out of training, each not counted as its own hit
    rows: int  # rows covered when it was measured
    live: int  # of them
    exact_ms_per_row: float  # of an exact search on one thread, where it was measured
    chosen: tuple[Point, ...]  # one for each of DEPTHS: the fastest
    filtered: tuple[Point, ...]  # one for each of DEPTHS: of the fewest lists
    curve: tuple[Point, ...]  # at depth 10, by latency

    @property
    def recall(self) -> float:
        """At depth 10, of the chosen effort."""
        return self.chosen[0].recall

    @property
    def recall_low(self) -> float:
        """Lower end of its 95 % interval."""
        return self.chosen[0].recall_low

    @property
    def is_met(self) -> bool:
        """Whether the target was reached at every depth."""
        return all(point.recall >= self.target for point in self.chosen)

    def effort(self, k: int, share: float = 1.0) -> Effort:
        """What to spend on finding the k nearest among that share of the rows.

        The k nearest of a tenth of the rows lie as deep as the 10 k nearest of all: the lists of
        that depth must be scanned, but of its candidates a tenth pass. So the fastest way to that
        depth is not the fastest here: that has as few lists as will do. Between the measured depths
        and beyond them lists and candidates grow as a power of the depth.
        """
        candidates = max(k, _at(self.chosen, k, _candidates))
        if share == 1:
            return Effort(_at(self.chosen, k, _lists), candidates)
        passing = math.ceil(share * _at(self.filtered, k / share, _candidates))
        return Effort(_at(self.filtered, k / share, _lists), max(candidates, passing))

    def latency_ms(self, k: int, share: float = 1.0) -> float:
        """About what that effort costs: scanning so many lists, then scoring the candidates.

        Not what the depth that those lists were measured for cost: that many rows are not scored.
        """
        effort = self.effort(k, share)
        points = (*self.curve, self.chosen[0])
        enough = [point for point in points if point.effort.lists >= effort.lists]
        near = min(enough, key=_lists) if enough else max(points, key=_lists)
        scan = near.latency_ms * max(1.0, effort.lists / near.effort.lists)
        more = max(0, effort.candidates - near.effort.candidates)
        return scan + self.scattered_ms(more)

    def scattered_ms(self, rows: int) -> float:
        """About what scoring so many rows costs that lie apart."""
        return self.exact_ms_per_row * SCATTERED * rows

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse; what else is in the dictionary is left alone.

        Raises:
            TypeError, KeyError: not a certificate.
        """
        points = {
            name: tuple(_point(value) for value in values[name])
            for name in ("chosen", "filtered", "curve")
        }
        own = {field.name: values[field.name] for field in fields(cls)}
        return cls(**{**own, **points})


def _lists(point: Point) -> int:
    return point.effort.lists


def _candidates(point: Point) -> int:
    return point.effort.candidates


def _at(points: tuple[Point, ...], depth: float, value: Callable[[Point], int]) -> int:
    first, last = points[0], points[-1]
    if depth >= last.depth:
        return math.ceil(value(last) * depth / last.depth)
    if depth <= first.depth:
        return value(first)
    low, high = next(pair for pair in pairwise(points) if depth < pair[1].depth)
    share = math.log(depth / low.depth) / math.log(high.depth / low.depth)
    start, end = (math.log(value(point)) for point in (low, high))
    return math.ceil(round(math.exp(start + share * (end - start)), 6))


def _point(values: dict[str, Any]) -> Point:
    return Point(**{**values, "effort": Effort(**values["effort"])})
