"""Reciprocal rank fusion of several ranked lists."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

Id = TypeVar("Id", bound=Hashable)

RANK_CONSTANT = 60  # Cormack, Clarke and Buettcher, SIGIR 2009


def fuse(
    rankings: Iterable[Sequence[Id]], weights: Sequence[float] | None = None, limit: int = 10
) -> list[tuple[Id, float]]:
    """Merge ranked lists by position.

    Args:
        rankings: Lists of document ids, best first. An id may be missing from some of them.
        weights: One factor per list; all 1.0 if not given.
        limit: How many results to return.

    Returns:
        (id, score) pairs, best first. Ties are broken by the id's text, so that the order does not
        depend on the order of the lists.

    Raises:
        ValueError: The number of weights differs from the number of lists, or a list holds an id twice.
    """
    lists = list(rankings)
    factors = list(weights) if weights is not None else [1.0] * len(lists)
    if len(factors) != len(lists):
        raise ValueError(f"{len(factors)} weights for {len(lists)} rankings")
    scores: defaultdict[Id, float] = defaultdict(float)
    for ranking, factor in zip(lists, factors, strict=True):
        if len(set(ranking)) != len(ranking):
            raise ValueError("a ranking names the same id twice")
        for rank, key in enumerate(ranking, start=1):
            scores[key] += factor / (RANK_CONSTANT + rank)
    ordered = sorted(scores.items(), key=lambda item: (-item[1], str(item[0])))
    return ordered[:limit]
