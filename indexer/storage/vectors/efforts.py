"""Which efforts a build tries, and which of those it measured it chooses."""

from collections.abc import Callable
from dataclasses import astuple
from typing import Any

from indexer.storage.vectors.certificate import Point


def list_counts(lists: int) -> list[int]:
    """From a 256th of them to all, each about 1.4 times the one before."""
    counts, share = {lists}, 1 / 256
    while share < 1:
        counts.add(max(1, round(lists * share)))
        share *= 2**0.5
    return sorted(counts)


def near_the_target(points: list[Point], target: float) -> list[int]:
    """Some counts between the last that misses the target and the first that surely reaches it.

    Steps of 1.4 would have most collections scan a fifth more than they need.
    """
    enough = [point.effort.lists for point in points if point.recall_low >= target]
    if not enough:
        return []
    first = min(enough)
    last = max((p.effort.lists for p in points if p.effort.lists < first), default=first)
    between = (round(last * (first / last) ** (part / 4)) for part in (1, 2, 3))
    return [lists for lists in dict.fromkeys(between) if last < lists < first]


def choose(points: list[Point], target: float, cost: Callable[[Point], Any]) -> Point:
    """The cheapest that surely reaches the target, else that seems to, else the best there is.

    One that scans fewer lists and scores no more is cheaper than another, whatever a busy machine
    said: it had 197 lists pass for faster than 128 at as many candidates.
    """
    sure = [point for point in points if point.recall_low >= target]
    likely = [point for point in points if point.recall >= target]
    if good := sure or likely:
        return min((p for p in good if not any(_is_less(q, p) for q in good)), key=cost)
    return max(points, key=lambda point: (point.recall, -point.latency_ms))


def fastest(point: Point) -> tuple[float, int]:
    """For searches of all rows."""
    return point.latency_ms, point.effort.lists


def fewest_lists(point: Point) -> tuple[int, float]:
    """For filters, which take few of the candidates."""
    return point.effort.lists, point.latency_ms


def _is_less(one: Point, other: Point) -> bool:
    (lists, candidates), (more_lists, more_candidates) = astuple(one.effort), astuple(other.effort)
    return one.effort != other.effort and lists <= more_lists and candidates <= more_candidates
