"""Which cell to take: quality that chance cannot tell from the best, then speed, then memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.evaluation.page.wording import (
    is_drawable,
    is_number,
    mebibytes,
    milliseconds,
    probability,
)
from app.evaluation.quality.metrics import PRIMARY
from app.evaluation.results import Cell, Measure, Results
from app.evaluation.statistics import paired_p

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Standing:
    """A cell by the two numbers that a choice is about."""

    cell: Cell
    quality: Measure
    latency_ms: float | None  # median of one client's answers; None: not timed

    @property
    def mean(self) -> float:
        """Of the quality."""
        return self.quality.mean.value


@dataclass(frozen=True)
class Recommendation:
    """The cell to take and why, in a sentence or two."""

    cell: Cell
    reason: str


def primary_way(cells: Sequence[Cell]) -> str | None:
    """The way of searching by which cells are judged: hybrid, as the product searches, if there."""
    ways = [way for cell in cells for way, found in cell.quality.items() if PRIMARY in found]
    return next((way for way in ("hybrid", "dense", *ways) if way in ways), None)


def standings(results: Results) -> list[Standing]:
    """Of every cell whose quality was measured in the primary way."""
    way = primary_way(results.cells)
    return [
        Standing(cell, cell.quality[way][PRIMARY], latency_ms(cell))
        for cell in results.cells
        if way is not None
        and PRIMARY in cell.quality.get(way, {})
        and is_number(cell.quality[way][PRIMARY].mean.value)
    ]


def latency_ms(cell: Cell, clients: int = 1) -> float | None:
    """Median time of an answer."""
    found = None if cell.speed is None else cell.speed.search_ms.get(clients)
    return None if found is None or not is_drawable(found.p50.value) else found.p50.value


def pareto(standings: Sequence[Standing]) -> list[Standing]:
    """Those that no other beats in one of quality and speed and equals in the other, by speed."""
    timed = [one for one in standings if one.latency_ms is not None]
    front = [one for one in timed if not any(_beats(other, one) for other in timed)]
    return sorted(front, key=lambda one: (one.latency_ms or 0, -one.mean))


def _beats(one: Standing, other: Standing) -> bool:
    ours, theirs = one.latency_ms or 0, other.latency_ms or 0
    as_good = ours <= theirs and one.mean >= other.mean
    return as_good and (ours < theirs or one.mean > other.mean)


def recommend(results: Results) -> Recommendation | None:
    """The fastest of the cells that are not significantly worse than the best; None: no quality."""
    found = standings(results)
    if not found:
        return None
    best = max(found, key=lambda one: (one.mean, -(one.latency_ms or 0)))
    worse = {
        one.cell.label: p
        for one in found
        if (p := p_of_worse(one, best)) is not None and p < SIGNIFICANT
    }
    equal = [one for one in found if one.cell.label not in worse]
    timed = [one for one in equal if one.latency_ms is not None]
    if timed:
        taken = min(timed, key=lambda one: (one.latency_ms or 0, one.cell.peak_ram_bytes))
    else:
        taken = min(equal, key=lambda one: (-one.mean, one.cell.peak_ram_bytes))
    way = primary_way(results.cells)
    text = f"Take {taken.cell.label}: {_why_good(taken, best, str(way))}{_why_fast(taken, timed)}."
    return Recommendation(taken.cell, text + _but(taken, found, worse))


def p_of_worse(one: Standing, best: Standing) -> float | None:
    """How often chance alone would put it so far below the best; None if it is not below."""
    ours, theirs = one.quality.per_query, best.quality.per_query
    if one.mean >= best.mean or len(ours) != len(theirs) or not ours:
        return None
    return paired_p(ours, theirs)


def _why_good(taken: Standing, best: Standing, way: str) -> str:
    said = f"its {PRIMARY} ({way}) of {taken.mean:.3f} is"
    if taken.mean >= best.mean:
        return f"{said} the best measured"
    p = p_of_worse(taken, best)
    doubt = "" if p is None else f" ({probability(p)})"
    return f"{said} not significantly below the best, {best.mean:.3f} of {best.cell.label}{doubt}"


def _why_fast(taken: Standing, timed: Sequence[Standing]) -> str:
    memory = mebibytes(taken.cell.peak_ram_bytes)
    if taken.latency_ms is None:
        return f", with {memory} of RAM; speed was not measured"
    said = f", and it answers in {milliseconds(taken.latency_ms)} (median, one client)"
    if len(timed) > 1:
        said += f", the fastest of the {len(timed)} that are as good"
    return f"{said}, with {memory} of RAM"


def _but(taken: Standing, found: Sequence[Standing], worse: dict[str, float]) -> str:
    """The fastest of those that were left out for their quality."""
    ours = taken.latency_ms or 0
    faster = [one for one in found if one.cell.label in worse and (one.latency_ms or ours) < ours]
    if not faster:
        return ""
    one = min(faster, key=lambda one: one.latency_ms or 0)
    return (
        f" {one.cell.label} is faster with {milliseconds(one.latency_ms or 0)}, but its {PRIMARY} "
        f"of {one.mean:.3f} is lower than chance explains ({probability(worse[one.cell.label])})."
    )
