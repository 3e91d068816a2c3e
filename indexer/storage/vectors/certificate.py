"""What an index was measured to find: recall against exact search by effort, on its own vectors.

Frozen data that is stored beside the codes; `measure` fills it.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any, Self

# Recall is measured at these depths: a search for k takes the effort of the first one that is at
# least k, or at least k over the share of rows that its filter leaves.
DEPTHS = (10, 100, 1000)
_LEAST = 1e-3  # a power law has no zero


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to look."""

    lists: int  # inverted lists scanned
    candidates: int  # rows scored exactly, at least


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
    chosen: tuple[Point, ...]  # one for each of DEPTHS
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

        The k nearest of a tenth of the rows lie as deep as the 10 k nearest of all: so many lists
        must be scanned, though only k of their rows are wanted. Between the measured depths and
        beyond them both numbers grow as a power of the depth.
        """
        return Effort(
            lists=self._at(k / share, lambda point: point.effort.lists),
            candidates=max(k, self._at(k, lambda point: point.effort.candidates)),
        )

    def latency_ms(self, k: int, share: float = 1.0) -> float:
        """About what that effort costs."""
        return self._at(k / share, lambda point: point.latency_ms * 1_000) / 1_000

    def _at(self, depth: float, value: Callable[[Point], float]) -> int:
        first, last = self.chosen[0], self.chosen[-1]
        if depth >= last.depth:
            return math.ceil(value(last) * depth / last.depth)
        if depth <= first.depth:
            return math.ceil(value(first))
        low, high = next(pair for pair in pairwise(self.chosen) if depth < pair[1].depth)
        share = math.log(depth / low.depth) / math.log(high.depth / low.depth)
        start, end = (math.log(max(value(point), _LEAST)) for point in (low, high))
        return math.ceil(round(math.exp(start + share * (end - start)), 6))

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
            name: tuple(_point(value) for value in values[name]) for name in ("chosen", "curve")
        }
        own = {field.name: values[field.name] for field in fields(cls)}
        return cls(**{**own, **points})


def _point(values: dict[str, Any]) -> Point:
    return Point(**{**values, "effort": Effort(**values["effort"])})
