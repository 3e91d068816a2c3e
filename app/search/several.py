"""One ranking of several searches' rankings."""

from collections.abc import Sequence
from dataclasses import replace

from app.search.answer import Answer, Hit

# Of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009). Scores of different queries do not
# compare, so ranks are what there is.
_RRF = 60


def fuse_answers(answers: Sequence[Answer], k: int) -> list[Hit]:
    """The k best documents of all the answers, best first, ties in the order they were met.

    A document scores the sum of 1 / (60 + rank) over the answers that have it, and is shown as in
    the one that ranks it best.
    """
    scores: dict[tuple[str, int], float] = {}
    best: dict[tuple[str, int], Hit] = {}
    for answer in answers:
        for hit in answer.hits:
            key = (hit.collection, hit.chunk.document_id)
            scores[key] = scores.get(key, 0.0) + 1 / (_RRF + hit.rank)
            if key not in best or hit.rank < best[key].rank:
                best[key] = hit
    ranked = sorted(scores, key=lambda key: -scores[key])[:k]
    return [replace(best[key], rank=i, score=scores[key]) for i, key in enumerate(ranked, start=1)]
