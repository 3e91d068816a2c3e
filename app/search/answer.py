"""An answer and its hits, and the public JSON shape of both."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from indexer.storage.documents import Passage, StoredDocument
from indexer.types import StoredChunk, display_path


class Mode(StrEnum):
    """How chunks are found."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


def document_to_dict(document_id: int, of: StoredChunk | StoredDocument) -> dict[str, Any]:
    """The public JSON shape of a document."""
    return {
        "id": document_id,
        "path": display_path(of.path),
        "member": of.member,
        "title": of.title,
    }


def chunk_to_dict(chunk: StoredChunk | Passage, text: str) -> dict[str, Any]:
    """The public JSON shape of a chunk."""
    return {
        "id": chunk.id,
        "heading": " > ".join(chunk.heading),
        "place": chunk.place,
        "text": text,
        "start_line": chunk.start_line,
        "end_line": chunk.end_line,
        "start": chunk.start,
        "end": chunk.end,
    }


@dataclass(frozen=True, slots=True)
class Hit:
    """A document by its best chunk.

    Score, higher is better: the fusion of both parts (hybrid), cosine (dense) or BM25 (lexical).
    """

    rank: int
    score: float
    dense: float | None  # the document's best cosine; None in lexical mode
    lexical: float | None  # its best BM25 score, 0 without a word of the query; None in dense mode
    collection: str
    chunk: StoredChunk

    def to_dict(self) -> dict[str, Any]:
        """The public JSON shape."""
        return {
            "rank": self.rank,
            "score": round(self.score, 6),
            "parts": {"dense": _rounded(self.dense), "lexical": _rounded(self.lexical)},
            "collection": self.collection,
            "document": document_to_dict(self.chunk.document_id, self.chunk),
            "chunk": chunk_to_dict(self.chunk, self.chunk.text),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Ranked hits, at most one per document."""

    query: str
    mode: Mode  # how the hits were found: lexical when a hybrid search was degraded
    took_ms: float
    hits: tuple[Hit, ...]
    degraded_reason: str | None = None  # why a hybrid search found no vector to search with

    @property
    def degraded(self) -> bool:
        """True when the model was out of reach and words alone were searched."""
        return self.degraded_reason is not None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON shape."""
        return {
            "query": self.query,
            "mode": str(self.mode),
            "degraded": self.degraded,
            "degraded_reason": self.degraded_reason,
            "took_ms": round(self.took_ms, 3),
            "hits": [hit.to_dict() for hit in self.hits],
        }


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 6)
