"""One ranking out of two: cosine finds what is meant, BM25 what is said."""

from collections.abc import Iterable
from dataclasses import dataclass

# Both measured on cranfield, xquad-en, xquad-zh and the judged sample with all-MiniLM-L6-v2
# (docs/decisions/0011-fusion.md): weights of 0.6 to 0.7 do well on all four.
DENSE_WEIGHT = 0.65
# Share of what all words of the query weigh that a best match must reach to count in full. Without
# it a chunk that has only the question's "is" would have full marks for its words.
FULL_MATCH = 1 / 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk with both of its scores, whichever search found it."""

    chunk_id: int
    document_id: int
    dense: float  # cosine, -1 to 1
    lexical: float  # BM25, 0 for a chunk without a word of the query


@dataclass(frozen=True, slots=True)
class Fused:
    """A document by its best chunk; the parts are the best of any of its chunks."""

    document_id: int
    chunk_id: int
    score: float
    dense: float
    lexical: float
    chunk_score: float  # of the best chunk alone
    more: tuple[tuple[int, float], ...] = ()  # (chunk id, score) of its other chunks, best first
    duplicates: tuple[int, ...] = ()  # documents of the same content, folded into this one


def full_lexical(scores: Iterable[float], query_weight: float) -> float:
    """The BM25 score that counts as 1: the best there is, unless even that is a poor match.

    Args:
        scores: BM25 scores of the candidates.
        query_weight: sum of the inverse document frequencies of the query's words.
    """
    return max([FULL_MATCH * query_weight, *scores])


def fuse(
    candidates: Iterable[Candidate], full_lexical: float, weight: float = DENSE_WEIGHT
) -> list[Fused]:
    """Documents, best first, ties by chunk id; the order of the candidates does not matter.

    A document scores `weight * dense + (1 - weight) * lexical / full_lexical` with the best cosine
    and the best BM25 of any of its candidates: meaning and words may be found in two places. Its
    chunk is the one that scores best by the same formula. Cosines are taken as they are, so a query
    that no document means leaves the words in charge; ranks would lend it full weight.

    Args:
        candidates: chunks, each id once.
        full_lexical: the BM25 score that counts as 1; 0 when the query has no words.
        weight: share of the cosine, 0 to 1.
    """

    def score(dense: float, lexical: float) -> float:
        words = lexical / full_lexical if full_lexical > 0 else 0.0
        return weight * dense + (1 - weight) * words

    chunks: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        chunks.setdefault(candidate.document_id, []).append(candidate)
    fused = []
    for document_id, own in chunks.items():
        dense, lexical = max(c.dense for c in own), max(c.lexical for c in own)
        scored = [(-score(c.dense, c.lexical), c.chunk_id) for c in own]
        (best, shown), *others = sorted(scored)
        more = tuple((chunk_id, -negative) for negative, chunk_id in others)
        total = score(dense, lexical)
        fused.append(Fused(document_id, shown, total, dense, lexical, -best, more))
    return sorted(fused, key=lambda item: (-item.score, item.chunk_id))
