"""An answer and its hits, and the public JSON shape of both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.search.file_state import FileState
from app.search.query import Mode
from app.search.rerank import SecondLook
from app.search.snippets import snippet
from indexer.paths import display_path
from indexer.storage.documents import DocumentSummary, Passage, StoredDocument
from indexer.types import StoredChunk


def document_to_dict(
    document_id: int, of: StoredChunk | StoredDocument | DocumentSummary
) -> dict[str, Any]:
    """The public JSON shape of a document."""
    return {
        "id": document_id,
        "path": display_path(of.path),
        "member": of.member,
        "title": of.title,
        "format": of.format,
    }


def chunk_to_dict(chunk: StoredChunk | Passage, text: str) -> dict[str, Any]:
    """The public JSON shape of a chunk."""
    return {
        "id": chunk.id,
        "ordinal": chunk.ordinal,
        "heading": " > ".join(chunk.heading),
        "place": chunk.place,
        "text": text,
        "start_line": chunk.start_line,
        "end_line": chunk.end_line,
        "start": chunk.start,
        "end": chunk.end,
    }


def snippet_to_dict(text: str, query: str) -> dict[str, Any]:
    """The stretch of a text that shows best why it was found; offsets count its code points."""
    cut = snippet(text, query)
    return {
        "text": cut.text,
        "start": cut.start,
        "matches": [list(match) for match in cut.matches],
    }


@dataclass(frozen=True, slots=True)
class Match:
    """A further chunk of a document, with the score it would have alone."""

    score: float
    chunk: StoredChunk

    def to_dict(self, query: str) -> dict[str, Any]:
        """The public JSON shape."""
        return {
            "score": round(self.score, 6),
            "chunk": chunk_to_dict(self.chunk, self.chunk.text),
            "snippet": snippet_to_dict(self.chunk.text, query),
        }


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A document of the same content as a hit's."""

    document_id: int
    path: bytes
    member: str

    def to_dict(self) -> dict[str, Any]:
        """The public JSON shape."""
        return {"id": self.document_id, "path": display_path(self.path), "member": self.member}


@dataclass(frozen=True, slots=True)
class Hit:
    """A document by its best chunk.

    Score, higher is better: the fusion of both parts (hybrid), cosine (dense) or BM25 (lexical).
    """

    rank: int  # among all pages of the answer, from 1
    score: float
    dense: float | None  # the document's best cosine; None in lexical mode
    lexical: float | None  # its best BM25 score, 0 without a word of the query; None in dense mode
    collection: str
    chunk: StoredChunk
    rerank: float | None = None  # what the reranker said, 0 to 1; None: it did not read this one
    more: tuple[Match, ...] = ()  # further chunks that match, best first
    before: tuple[StoredChunk, ...] = ()  # neighbours that were asked for, in the text's order
    after: tuple[StoredChunk, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    file: FileState | None = None  # None: it lies in no file

    def to_dict(self, query: str) -> dict[str, Any]:
        """The public JSON shape."""
        document = document_to_dict(self.chunk.document_id, self.chunk)
        return {
            "rank": self.rank,
            "score": round(self.score, 6),
            "parts": {
                "dense": _rounded(self.dense),
                "lexical": _rounded(self.lexical),
                "rerank": _rounded(self.rerank),
            },
            "collection": self.collection,
            "document": {**document, "file": None if self.file is None else str(self.file)},
            "chunk": chunk_to_dict(self.chunk, self.chunk.text),
            "snippet": snippet_to_dict(self.chunk.text, query),
            "more": [match.to_dict(query) for match in self.more],
            "before": [chunk_to_dict(chunk, chunk.text) for chunk in self.before],
            "after": [chunk_to_dict(chunk, chunk.text) for chunk in self.after],
            "duplicates": [duplicate.to_dict() for duplicate in self.duplicates],
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Ranked hits, at most one per document."""

    query: str
    mode: Mode  # how the hits were found: lexical when a hybrid search was degraded
    took_ms: float
    hits: tuple[Hit, ...]
    degraded_reason: str | None = None  # why a hybrid search found no vector to search with
    next: str | None = None  # the cursor of the next page; None: there is none
    second_look: SecondLook | None = None  # what a wish to rerank came to; None: there was none
    timing_ms: Mapping[str, float] = field(default_factory=dict)  # by stage

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
            "hits": [hit.to_dict(self.query) for hit in self.hits],
            "next": self.next,
            "rerank": None if self.second_look is None else self.second_look.to_dict(),
            "timing": dict(self.timing_ms),
        }


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 6)
