"""Answer queries: the only reader that sees both the embedder and the store."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from indexer.embedding.embedder import Embedder
from indexer.errors import QueryError
from indexer.storage.collection import Collection
from indexer.storage.documents import Passage, StoredDocument
from indexer.storage.snapshot import Snapshot
from indexer.types import Contract, Kind, ScoredChunk, StoredChunk, Vector, display_path

# Longer queries are refused before any work: no question is this long, and tokenising is not free.
MAX_QUERY_CHARS = 32_768
# Chunks fetched per wanted document at first; doubled until there are k different documents.
CHUNKS_PER_DOCUMENT = 4


class Mode(StrEnum):
    """How chunks are found."""

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
    """The best chunk of one document. Score: cosine (dense) or BM25 (lexical), higher is better."""

    rank: int
    score: float
    collection: str
    chunk: StoredChunk

    def to_dict(self) -> dict[str, Any]:
        """The public JSON shape."""
        return {
            "rank": self.rank,
            "score": round(self.score, 6),
            "collection": self.collection,
            "document": document_to_dict(self.chunk.document_id, self.chunk),
            "chunk": chunk_to_dict(self.chunk, self.chunk.text),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Ranked hits, at most one per document."""

    query: str
    mode: Mode
    took_ms: float
    hits: tuple[Hit, ...]

    def to_dict(self) -> dict[str, Any]:
        """The public JSON shape."""
        return {
            "query": self.query,
            "mode": str(self.mode),
            "took_ms": round(self.took_ms, 3),
            "hits": [hit.to_dict() for hit in self.hits],
        }


@dataclass(frozen=True, slots=True)
class _Found:
    """A document's best chunk in one collection, before merging."""

    collection: str
    contract: str
    rank: int
    score: float
    chunk: StoredChunk


class SearchService:
    """Answers queries over open collections.

    `embedder_of` gives the embedder of a contract; it is called for dense queries only, so lexical
    search needs no model. Safe to call from several threads.
    """

    def __init__(self, embedder_of: Callable[[Contract], Embedder]) -> None:
        self._embedder_of = embedder_of

    def search(
        self,
        query: str,
        collections: Mapping[str, Collection],
        k: int = 10,
        mode: Mode = Mode.DENSE,
        instruction: str | None = None,
    ) -> Answer:
        """The k best documents over all the named collections.

        Raises:
            QueryError: an empty or over-long query, or an instruction where none can be used.
            ModelError: the collection's model is not to be had (dense mode).
        """
        _check(query, k, mode, instruction)
        started = time.perf_counter()
        found: list[_Found] = []
        for name, collection in collections.items():
            found += self._find(name, collection, query, k, mode, instruction)
        hits = tuple(
            Hit(rank, item.score, item.collection, item.chunk)
            for rank, item in enumerate(_merge(found, mode)[:k], start=1)
        )
        return Answer(query, mode, (time.perf_counter() - started) * 1000, hits)

    def _find(
        self,
        name: str,
        collection: Collection,
        query: str,
        k: int,
        mode: Mode,
        instruction: str | None,
    ) -> list[_Found]:
        """The k best documents of one collection.

        The query is embedded before the snapshot is taken, so that no model work holds one open.
        A writer may have embedded the collection under another contract meanwhile: then the vector
        means nothing, and the query is embedded again.
        """
        while True:
            contract = collection.contract
            vector = self._vector(query, contract, mode, instruction)
            with collection.snapshot() as now:
                if vector is not None and now.head.contract != contract:
                    continue
                best = _best_per_document(now, _finder(now, query, vector), k)
                fingerprint = now.head.contract.fingerprint
            return [
                _Found(name, fingerprint, rank, score, chunk)
                for rank, (score, chunk) in enumerate(best, start=1)
            ]

    def _vector(
        self, query: str, contract: Contract, mode: Mode, instruction: str | None
    ) -> Vector | None:
        """The query's vector; None for lexical search."""
        if mode is Mode.LEXICAL:
            return None
        embedder = self._embedder_of(contract)
        vector: Vector = embedder.embed([query], Kind.QUERY, instruction)[0]
        return vector


def _finder(
    now: Snapshot, query: str, vector: Vector | None
) -> Callable[[int], Sequence[ScoredChunk]]:
    """A function that gives the n best chunks."""
    if vector is None:
        return lambda n: now.lexical(query, n)
    return lambda n: now.dense(vector, n)


def _check(query: str, k: int, mode: Mode, instruction: str | None) -> None:
    if not query.strip():
        raise QueryError("The query is empty. Say what you are looking for.")
    if len(query) > MAX_QUERY_CHARS:
        raise QueryError(
            f"The query has {len(query):,} characters; at most {MAX_QUERY_CHARS:,} are taken."
        )
    if k < 1:
        raise QueryError(f"k = {k}: ask for at least one hit.")
    if instruction is not None and mode is Mode.LEXICAL:
        raise QueryError(
            "An instruction steers the embedding model; lexical search uses none. "
            "Leave the instruction out, or use --mode dense."
        )


def _best_per_document(
    now: Snapshot, find: Callable[[int], Sequence[ScoredChunk]], k: int
) -> list[tuple[float, StoredChunk]]:
    """The best chunk of each of the k best documents, best first.

    A few long documents may own all the first chunks, so the depth doubles until there are k
    documents or no more chunks.
    """
    depth = k * CHUNKS_PER_DOCUMENT
    while True:
        scored = find(depth)
        chunks = now.chunks([item.chunk_id for item in scored])
        best: dict[int, tuple[float, StoredChunk]] = {}
        for item in scored:
            chunk = chunks.get(item.chunk_id)
            if chunk is not None:
                best.setdefault(chunk.document_id, (item.score, chunk))
        if len(best) >= k or len(scored) < depth:
            return list(best.values())[:k]
        depth *= 2


def _merge(found: list[_Found], mode: Mode) -> list[_Found]:
    """One ranking: by score where scores compare (one contract), else by rank, turn by turn."""
    comparable = mode is Mode.DENSE and len({item.contract for item in found}) <= 1
    if comparable or len({item.collection for item in found}) <= 1:
        return sorted(found, key=lambda item: (-item.score, item.collection, item.chunk.id))
    return sorted(found, key=lambda item: (item.rank, item.collection))
