"""How far the vectors and rankings of two modes agree."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.evaluation.quality.runs import Run
from app.evaluation.results import Agreement
from indexer.types import Vector

SAMPLE = 2_000  # passages whose vectors are compared


@dataclass(frozen=True, slots=True)
class Vectors:
    """What a mode made of the same texts."""

    passages: Mapping[bytes, Vector]  # by key
    queries: npt.NDArray[np.float32]  # shape (n, dimension), in the order of the judged set


def agreement(vectors: Vectors, reference: Vectors, run: Run, reference_run: Run) -> Agreement:
    """Of the passages under equal keys, of all queries, and of the dense rankings for these.

    Raises:
        ValueError: no key or no query in common.
    """
    keys = [key for key in vectors.passages if key in reference.passages]
    queries = [query for query in run if query in reference_run]
    if not keys or not queries:
        raise ValueError("nothing to compare")
    cosines = [_cosine(vectors.passages[key], reference.passages[key]) for key in keys]
    asked = [_cosine(a, b) for a, b in zip(vectors.queries, reference.queries, strict=True)]
    overlaps, taus = [], []
    for query in queries:
        ours = [item.document for item in run[query]]
        theirs = [item.document for item in reference_run[query]]
        depth = min(10, max(len(ours), len(theirs), 1))
        overlaps.append(len(set(ours[:10]) & set(theirs[:10])) / depth)
        taus.append(kendall_tau(ours, theirs))
    return Agreement(
        texts=len(keys),
        cosine_mean=float(np.mean(cosines)),
        cosine_min=float(np.min(cosines)),
        query_cosine_mean=float(np.mean(asked)),
        query_cosine_min=float(np.min(asked)),
        overlap_10=float(np.mean(overlaps)),
        kendall_tau=float(np.mean(taus)),
    )


def kendall_tau(ours: list[str], theirs: list[str]) -> float:
    """Kendall's tau of what both rankings hold; 1 where that is less than two."""
    from scipy.stats import kendalltau

    place = {name: rank for rank, name in enumerate(theirs)}
    common = [place[name] for name in ours if name in place]
    if len(common) < 2:
        return 1.0
    return float(kendalltau(range(len(common)), common).statistic)


def _cosine(a: Vector, b: Vector) -> float:
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return min(1.0, float(a @ b) / lengths) if lengths else float(np.array_equal(a, b))
