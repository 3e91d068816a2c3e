"""How far the vectors and rankings of two modes agree."""

from collections.abc import Mapping

import numpy as np

from app.evaluation.quality.runs import Run
from app.evaluation.results import Agreement
from indexer.types import Vector

SAMPLE = 2_000  # passages whose vectors are compared


def agreement(
    vectors: Mapping[bytes, Vector],
    reference: Mapping[bytes, Vector],
    run: Run,
    reference_run: Run,
) -> Agreement:
    """Of the vectors under equal keys, and of the dense rankings of the same queries.

    Raises:
        ValueError: no key or no query in common.
    """
    keys = [key for key in vectors if key in reference]
    queries = [query for query in run if query in reference_run]
    if not keys or not queries:
        raise ValueError("nothing to compare")
    cosines = [_cosine(vectors[key], reference[key]) for key in keys]
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
