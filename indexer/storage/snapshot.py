"""A collection at one generation: all answers come from the same read transaction."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from indexer.errors import NotFoundError, QueryError
from indexer.storage import canaries, catalog, chunks, documents, provenance
from indexer.storage.canaries import StoredVector
from indexer.storage.catalog import Head
from indexer.storage.documents import DocumentSummary, StoredDocument
from indexer.storage.filters.fields import Allowed, ChunkSet
from indexer.storage.filters.shared_fields import SharedFields
from indexer.storage.filters.where import Where
from indexer.storage.lexical_query import UNCONSTRAINED, Constraints, LexicalQuery, parse_query
from indexer.storage.shared_lexical import SharedLexical
from indexer.storage.shared_vectors import SharedVectors
from indexer.storage.vectors.certificate import Certificate
from indexer.storage.vectors.index import VectorIndex
from indexer.storage.vectors.mapped import DamagedRowsError
from indexer.types import FileStamp, Scan, ScoredChunk, StoredChunk, StoredFile, Vector, Vectors

_FEW_CHUNKS = 2_000  # that a filter leaves: they are all scored, instead of looking for the best
_TIE = 1e-6  # cosines nearer than this are equal: the order of sums differs between scans
_SPARE = 16  # asked for beyond k: hits that tie with the last, or are gone from the catalog


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One generation of a collection. Not for use by several threads at once."""

    connection: Connection
    head: Head
    vectors: SharedVectors
    lexical_source: SharedLexical
    fields: SharedFields

    def dense(
        self,
        vector: npt.NDArray[np.float32],
        k: int,
        where: Where | None = None,
        scan: Scan = Scan.CHEAPEST,
        constraints: Constraints = UNCONSTRAINED,
    ) -> list[ScoredChunk]:
        """The k chunks nearest by cosine, best first, ties by chunk id.

        Args:
            vector: float32, shape (dimension,), unit length, embedded under the collection's
                contract.
            k: at least 1; more than there are gives all.
            where: which documents' chunks may be found, decided before the k best are taken.
            scan: which vectors are scored.
            constraints: phrases and exclusions of the query, likewise decided before. A chunk that
                the lexical copy does not hold yet is not found under any.

        Raises:
            QueryError: wrong dimension, not finite, or not unit length; a filter beyond measure.
        """
        _check_vector(vector, self.head.contract.dimension)
        _check_k(k)
        allowed = self._allowed(where, constraints)
        index = self.vectors.at(self.connection, self.head)
        try:
            return self._dense(index, vector, k, allowed, scan)
        except DamagedRowsError:
            index = self.vectors.drop_damaged(self.connection, self.head)
            return self._dense(index, vector, k, allowed, scan)

    def _dense(
        self,
        index: VectorIndex,
        vector: npt.NDArray[np.float32],
        k: int,
        allowed: Allowed | None,
        scan: Scan,
    ) -> list[ScoredChunk]:
        """Chunks of the k nearest vectors: several may share one, and each has one at least."""
        among = None if allowed is None else allowed.embeddings
        ids, scores = index.search(vector, k, among, scan, self.vectors.effort_factor)
        chunks_of = chunks.chunks_of_embeddings(self.connection, ids)
        hits = [
            ScoredChunk(chunk_id, score)
            for embedding_id, score in zip(ids, scores, strict=True)
            for chunk_id in chunks_of.get(embedding_id, ())
            if allowed is None or allowed.has_chunk(chunk_id)
        ]
        return sorted(hits, key=_best_first)[:k]

    def recall(
        self, vector: npt.NDArray[np.float32], k: int, scan: Scan = Scan.CHEAPEST
    ) -> float | None:
        """The share of the k nearest chunks that `dense` gives, 0 to 1; None of an empty store.

        What ties with the last of these counts as found.

        Raises:
            QueryError: see `dense`.
        """
        true = self.dense(vector, k, scan=Scan.EXACT)
        if not true:
            return None
        found = self.dense(vector, k, scan=scan)
        near = sum(hit.score >= true[-1].score - _TIE for hit in found)
        return min(near, len(true)) / len(true)

    def certificate(self) -> Certificate | None:
        """What the vector index was measured to find; None when every search is exact."""
        return self.vectors.at(self.connection, self.head).certificate

    def _allowed(
        self, where: Where | None, constraints: Constraints = UNCONSTRAINED
    ) -> Allowed | None:
        among = self._holding(constraints) if constraints else None
        return self.fields.allowed(self.connection, self.head, where, among)

    def _holding(self, constraints: Constraints) -> ChunkSet:
        """Chunks known to hold the constraints."""
        index = self.lexical_source.at(self.head)
        if index is None:
            return ChunkSet(np.empty(0, np.int64), excluded=False)
        held = index.holding(constraints)
        if not held.excluded:
            return held
        if index.generation > self.head.generation:  # chunks of ours may be gone from it
            return ChunkSet(np.setdiff1d(index.ids(), held.ids), excluded=False)
        unknown = chunks.written_after(self.connection, index.generation)
        return replace(held, ids=np.concatenate([held.ids, np.array(unknown, np.int64)]))

    def lexical(
        self, query: str | LexicalQuery, k: int, where: Where | None = None
    ) -> list[ScoredChunk]:
        """The k chunks best by BM25, best first, ties by chunk id; any string is a valid query.

        `where` is as in `dense`; phrases and exclusions hold.
        """
        _check_k(k)
        query = _parsed(query)
        allowed = self._allowed(where)
        index = self.lexical_source.at(self.head)
        if index is None:
            return []
        languages = self.lexical_source.languages(self.connection, self.head)
        if allowed is not None and allowed.count <= _FEW_CHUNKS:
            ids = np.flatnonzero(allowed.chunks).tolist()
            scores = index.scores(query, languages, ids)
            few = [ScoredChunk(chunk_id, score) for chunk_id, score in scores.items()]
            return sorted(few, key=_best_first)[:k]
        # A copy of this very generation holds what is live and nothing else.
        same = index.generation == self.head.generation
        wanted = k + _SPARE
        while True:
            found = index.search(query, languages, wanted)
            passing = [
                chunk_id for chunk_id, _ in found if allowed is None or allowed.has_chunk(chunk_id)
            ]
            live = set(passing) if same else chunks.live_chunks(self.connection, passing)
            hits = [ScoredChunk(chunk_id, s) for chunk_id, s in found if chunk_id in live]
            if len(hits) >= k or len(found) < wanted:
                return hits[:k]
            wanted *= 4

    def cosines(
        self, vector: npt.NDArray[np.float32], chunk_ids: Sequence[int]
    ) -> dict[int, float]:
        """{chunk id: cosine} of these chunks, as `dense` scores them; gone ones are left out.

        Raises:
            QueryError: see `dense`.
        """
        dimension = self.head.contract.dimension
        _check_vector(vector, dimension)
        ids, vectors = chunks.vectors_of_chunks(self.connection, chunk_ids, dimension)
        return dict(zip(ids, (vectors @ vector).tolist(), strict=True))

    def lexical_scores(
        self, query: str | LexicalQuery, chunk_ids: Sequence[int]
    ) -> dict[int, float]:
        """{chunk id: BM25 score} of those of the chunks that `lexical` can find."""
        index = self.lexical_source.at(self.head)
        if index is None:
            return {}
        languages = self.lexical_source.languages(self.connection, self.head)
        return index.scores(_parsed(query), languages, chunk_ids)

    def lexical_weight(self, query: str | LexicalQuery) -> float:
        """About what BM25 gives a chunk with each word of the query once; 0 without any words.

        A word that no chunk holds counts too, so a query of which only "the" was found has a best
        score far below this.
        """
        index = self.lexical_source.at(self.head)
        if index is None:
            return 0.0
        languages = self.lexical_source.languages(self.connection, self.head)
        return index.weight(_parsed(query), languages)

    def documents_of(
        self, chunk_ids: Sequence[int]
    ) -> tuple[dict[int, int], dict[int, StoredFile]]:
        """({chunk id: document id}, {document id: the file it was read from}).

        Chunks that are gone are left out.
        """
        return chunks.documents_of_chunks(self.connection, chunk_ids)

    def chunks(self, ids: Sequence[int]) -> dict[int, StoredChunk]:
        """{chunk id: chunk} in the order asked for; ids that are gone are left out."""
        return chunks.stored_chunks(self.connection, ids)

    def chunks_around(self, chunk: StoredChunk, count: int) -> list[StoredChunk]:
        """Up to `count` chunks before this one and as many after it, in order, without itself."""
        return chunks.chunks_around(self.connection, chunk, count)

    def vectors_of(self, document_id: int) -> tuple[list[int], Vectors]:
        """(a document's chunk ids in order, their vectors); none of one that is gone."""
        dimension = self.head.contract.dimension
        return chunks.vectors_of_document(self.connection, document_id, dimension)

    def stored_vectors(self, count: int) -> list[StoredVector]:
        """Up to `count` stored vectors, spread over the collection; the same ones every time."""
        return canaries.stored_vectors(self.connection, count, self.head.contract.dimension)

    def vectors_by_key(self, count: int) -> dict[bytes, Vector]:
        """Up to `count` stored vectors by key, the same ones in every collection of the texts."""
        return canaries.vectors_by_key(self.connection, count, self.head.contract.dimension)

    def modes(self) -> frozenset[str]:
        """Modes that made vectors of this collection; `provenance.UNKNOWN` where not recorded."""
        return provenance.modes(self.connection)

    def known_files(self, under: bytes | None = None) -> dict[bytes, FileStamp]:
        """{path: stamp} of all files, or of those at or inside `under`."""
        return catalog.known_files(self.connection, under)

    def stamps(self, paths: Iterable[bytes]) -> dict[bytes, FileStamp]:
        """{path: stamp} of those of the paths that are known."""
        return catalog.stamps(self.connection, paths)

    def documents_at(self, paths: Sequence[bytes]) -> dict[bytes, DocumentSummary]:
        """{path: its document} of those of the paths that are known and hold one document."""
        return documents.documents_at(self.connection, paths)

    def known_keys(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of the keys whose vector is stored."""
        return set(catalog.embedding_ids(self.connection, keys))

    def document(self, document_id: int) -> StoredDocument:
        """A document with its text and chunks.

        Raises:
            NotFoundError: no such document.
        """
        found = documents.read_document(self.connection, document_id)
        if found is None:
            raise NotFoundError(
                f"no document {document_id} in this collection. Ids come from hits and listings."
            )
        return found

    def documents(
        self,
        under: bytes | None = None,
        after: int = 0,
        limit: int = 100,
        where: Where | None = None,
    ) -> list[DocumentSummary]:
        """Up to `limit` documents with ids above `after`, ascending, at or inside path `under`.

        `where`: those that this condition holds of.

        Raises:
            QueryError: a filter beyond measure.
        """
        only = None if where is None else self.fields.documents(self.connection, self.head, where)
        return documents.list_documents(self.connection, under, after, limit, only)

    def named_documents(self, name: bytes, limit: int) -> list[DocumentSummary]:
        """Up to `limit` documents of the file at this path, or of those whose paths end with it."""
        return documents.named_documents(self.connection, name, limit)

    def headings(self) -> Iterator[tuple[int, str]]:
        """(document id, heading) of every title and innermost heading."""
        return documents.list_headings(self.connection)

    def roots(self) -> tuple[bytes, ...]:
        """Paths the user asked to index, sorted."""
        return catalog.roots(self.connection)


def _parsed(query: str | LexicalQuery) -> LexicalQuery:
    return parse_query(query) if isinstance(query, str) else query


def _best_first(hit: ScoredChunk) -> tuple[float, int]:
    return (-hit.score, hit.chunk_id)


def _check_k(k: int) -> None:
    if k < 1:
        raise QueryError(f"k is {k}: ask for at least 1 result.")


def _check_vector(vector: npt.NDArray[np.float32], dimension: int) -> None:
    shape = np.shape(vector)
    if shape != (dimension,):
        raise QueryError(
            f"query vector of shape {shape}, the collection's contract says ({dimension},)."
        )
    length = float(np.linalg.norm(np.asarray(vector, dtype=np.float64)))
    if not abs(length - 1.0) <= 1e-3:
        raise QueryError(f"query vector of length {length:.4g} instead of 1.")
