"""Documents like a given one, by what they mean; needs no model."""

from dataclasses import dataclass

import numpy as np

from indexer.errors import NotFoundError, QueryError
from indexer.storage.filters.where import Where
from indexer.storage.snapshot import Snapshot
from indexer.types import Vector, Vectors

CHUNKS_PER_DOCUMENT = 4  # looked at per wanted document at first
# A mean shorter than this has no direction: chunks that point away from one another.
_SHORTEST = 1e-6


@dataclass(frozen=True, slots=True)
class Similar:
    """A document like the given one, by the chunk that is most like it.

    score: cosine of that chunk and the given document, higher is more alike.
    """

    document_id: int
    score: float
    chunk_id: int


def similar_documents(
    now: Snapshot, document_id: int, k: int, where: Where | None = None
) -> list[Similar]:
    """The k documents most like this one, best first, itself left out; fewer if there are no more.

    A document's direction is the mean of its chunks' vectors. `where`: which may be found.

    Raises:
        NotFoundError: no such document.
        QueryError: k below 1, or a filter beyond measure.
    """
    if k < 1:
        raise QueryError(f"k = {k}: ask for at least one document.")
    own, vectors = now.vectors_of(document_id)
    if not own:
        raise NotFoundError(
            f"no document {document_id} in this collection. Ids come from hits and listings."
        )
    direction = _mean(vectors)
    # Its own chunks are found as well, and take places: a filter against them would cost more.
    depth = len(own) + k * CHUNKS_PER_DOCUMENT
    while True:
        hits = now.dense(direction, depth, where)
        documents, _ = now.documents_of([hit.chunk_id for hit in hits])
        best: dict[int, Similar] = {}
        for hit in hits:
            found = documents[hit.chunk_id]
            if found != document_id:
                best.setdefault(found, Similar(found, hit.score, hit.chunk_id))
        if len(best) >= k or len(hits) < depth:
            return list(best.values())[:k]
        depth *= 2


def _mean(vectors: Vectors) -> Vector:
    """The direction between them, unit length, shape (dimension,); the first's if there is none."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(mean))
    if length < _SHORTEST:
        mean, length = vectors[0].astype(np.float64), float(np.linalg.norm(vectors[0]))
    direction: Vector = (mean / length).astype(np.float32)
    return direction
