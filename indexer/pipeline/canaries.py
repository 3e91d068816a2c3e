"""Whether a mode gives the vectors that a collection holds: some passages, embedded once more.

Two modes of one model differ by rounding. Where they differ by more, answers would silently get
worse: a query in one mode would be compared with documents in another.
"""

from dataclasses import dataclass

import numpy as np

from indexer.documents.prefix import joined, parts_of, shorten
from indexer.embedding.embedder import Embedder
from indexer.storage.canaries import StoredVector
from indexer.storage.snapshot import Snapshot
from indexer.types import Kind, StoredChunk, TokenCounter, Vectors, embedding_key

CANARIES = 32
# Of up to this many neighbours the shortest is taken: model time depends on the length, truth not.
_CHOICE = 3
_DEPTH = 10
# docs/decisions/0010-modes-prove-themselves.md says why these.
LEAST_MEAN, LEAST_COSINE, LEAST_OVERLAP = 0.99, 0.95, 0.8


@dataclass(frozen=True, slots=True)
class Canaries:
    """Passages exactly as they were embedded, and the vectors stored for them.

    vectors: float32, shape (n, dimension), unit length.
    """

    texts: tuple[str, ...]
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Comparison:
    """How near a mode's vectors come to the stored ones."""

    passages: int
    mean: float  # cosine
    least: float
    overlap: float  # share of the ten nearest chunks that both vectors find

    @property
    def passed(self) -> bool:
        """Whether answers would stay the same but for near ties."""
        return (
            self.mean >= LEAST_MEAN and self.least >= LEAST_COSINE and self.overlap >= LEAST_OVERLAP
        )

    def __str__(self) -> str:
        return (
            f"over {self.passages} passages cosine {self.mean:.4f} on average ({LEAST_MEAN:g} "
            f"needed) and {self.least:.4f} at least ({LEAST_COSINE:g}), overlap of the "
            f"{_DEPTH} nearest chunks {self.overlap:.2f} ({LEAST_OVERLAP:g})"
        )


def gather(now: Snapshot, counter: TokenCounter) -> Canaries:
    """Up to `CANARIES` passages spread over the collection; the same ones until it changes.

    What was embedded is not stored, only its hash: the text is put together again from title,
    headings and passage, and taken if its hash is the stored key.
    """
    contract = now.head.contract
    stored = now.stored_vectors(CANARIES * _CHOICE)
    texts: list[str] = []
    vectors: list[Vectors] = []
    size = max(1, -(-len(stored) // CANARIES))
    for start in range(0, len(stored), size):
        for item in sorted(stored[start : start + size], key=lambda item: len(item.chunk.text)):
            text = embedded_text(item, contract.fingerprint, contract.chunker, counter)
            if text is not None:
                texts.append(text)
                vectors.append(item.vector / np.linalg.norm(item.vector))
                break
    shape = (len(texts), contract.dimension)
    return Canaries(tuple(texts), np.array(vectors, dtype=np.float32).reshape(shape))


def embedded_text(
    item: StoredVector, fingerprint: str, chunker: str, counter: TokenCounter
) -> str | None:
    """What was embedded for a stored vector; None if it cannot be put together again."""
    passage = item.chunk.text.strip()
    for prefix in _prefixes(item.chunk, chunker, counter):
        text = prefix + passage
        if embedding_key(fingerprint, Kind.DOCUMENT, text) == item.key:
            return text
    return None


def compare(now: Snapshot, canaries: Canaries, embedder: Embedder) -> Comparison:
    """Embed the canaries in another mode and hold the vectors against the stored ones.

    Raises:
        QueryError: the collection got another dimension meanwhile.
    """
    made = embedder.embed(canaries.texts, Kind.DOCUMENT)
    cosines = np.einsum("ij,ij->i", made, canaries.vectors, dtype=np.float64)
    shared = [
        _overlap(now, stored, new) for stored, new in zip(canaries.vectors, made, strict=True)
    ]
    return Comparison(
        len(canaries.texts), float(cosines.mean()), float(cosines.min()), float(np.mean(shared))
    )


def _overlap(now: Snapshot, stored: Vectors, new: Vectors) -> float:
    before = {hit.chunk_id for hit in now.dense(stored, _DEPTH)}
    after = {hit.chunk_id for hit in now.dense(new, _DEPTH)}
    return len(before & after) / max(1, len(before))


def _prefixes(chunk: StoredChunk, chunker: str, counter: TokenCounter) -> list[str]:
    """Every prefix the chunker may have put before this passage, the likeliest first.

    Headings that the passage begins with are left out of it, and which those are is not stored; a
    long prefix was shortened.
    """
    parts = parts_of(chunk.title, chunk.heading, ())
    wanted = [parts[:end] for end in range(len(parts), -1, -1)]
    budget = min(int(chunker.partition("/")[2]), counter.max_tokens)
    overhead = counter.count([""])[0]
    most = min(budget // 4, (budget - overhead) // 2)  # as `chunk` shares the budget
    shortened = shorten(wanted, counter, most, overhead)
    return list(dict.fromkeys([*map(joined, wanted), *(text for text, _ in shortened.values())]))
