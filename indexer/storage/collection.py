"""A collection for reading: any number of threads and processes, also while a writer works."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine

from indexer.errors import NotFoundError, StoreError
from indexer.storage import catalog, provenance
from indexer.storage.catalog import Head
from indexer.storage.commit import CATALOG
from indexer.storage.documents import DocumentSummary, StoredDocument
from indexer.storage.engine import open_reader_engine, store_errors
from indexer.storage.filters.shared_fields import SharedFields
from indexer.storage.filters.where import Where
from indexer.storage.lexical import FOLDER as LEXICAL_FOLDER
from indexer.storage.lexical_query import UNCONSTRAINED, Constraints, LexicalQuery
from indexer.storage.manifest import PathIdentity, path_identity
from indexer.storage.migrate import check_revision
from indexer.storage.query_wishes import FILE as QUERY_WISHES
from indexer.storage.query_wishes import QueryWishes
from indexer.storage.shared_lexical import SharedLexical
from indexer.storage.shared_vectors import SharedVectors
from indexer.storage.snapshot import Snapshot
from indexer.storage.tables import REVISIONS
from indexer.storage.vectors.layout import OWNED as VECTOR_FILES
from indexer.storage.vectors.status import IndexStatus, index_status
from indexer.types import Contract, FileStamp, ScoredChunk, StoredChunk


@dataclass(frozen=True, slots=True)
class CollectionStatus:
    """What a collection holds and how much room it takes."""

    files: int
    uploads: int  # documents that lie in no file
    documents: int  # those among them
    chunks: int
    vectors: int
    generation: int
    contract: Contract
    modes: Mapping[str, int]  # {mode: vectors it made}
    roots: tuple[bytes, ...]
    created: str  # ISO 8601, UTC
    catalog_bytes: int  # write-ahead log included
    vectors_bytes: int
    lexical_bytes: int
    index: IndexStatus


class Collection:
    """A reader. Safe to share between threads; each call is answered from one generation."""

    def __init__(self, folder: Path, engine: Engine, head: Head) -> None:
        """Use `Collection.open`."""
        self._folder = folder
        self._engine = engine
        self._head = head
        self._vectors = SharedVectors(folder)
        self._lexical = SharedLexical(folder)
        self._fields = SharedFields(folder)
        self._query_wishes: tuple[PathIdentity | None, QueryWishes] | None = None

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open without reading any vectors; they are loaded by the first `dense`.

        Raises:
            NotFoundError: there is no collection in the folder.
            TooNewError: a newer semsearch wrote it.
            CorruptError: the catalog is damaged.
        """
        path = folder / CATALOG
        if not path.is_file():
            raise _not_found(folder)
        with store_errors(folder):
            engine = open_reader_engine(path)
            try:
                with engine.begin() as connection:
                    revision = check_revision(connection, folder)
                    if revision is None:
                        raise _not_found(folder)
                    if revision != REVISIONS[-1]:
                        raise StoreError(
                            f"{folder}: its schema {revision} is older than this semsearch. "
                            "Run `semsearch index` once to upgrade it."
                        )
                    head = catalog.head(connection)
            except BaseException:
                engine.dispose()
                raise
            return cls(folder, engine, head)
        raise AssertionError("unreachable: store_errors lets nothing pass silently")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @property
    def contract(self) -> Contract:
        """What the vectors mean, as of the last call."""
        return self._head.contract

    @property
    def generation(self) -> int:
        """The generation of the last call."""
        return self._head.generation

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Several calls on one generation; keep it for one request, as it holds a connection."""
        with store_errors(self._folder), self._engine.begin() as connection:
            head = catalog.head(connection)
            self._head = head
            yield Snapshot(connection, head, self._vectors, self._lexical, self._fields)

    @property
    def instruction(self) -> str | None:
        """The task that its queries go with, where they name none; None: the model's own."""
        seen = path_identity(self._folder / QUERY_WISHES)
        if self._query_wishes is None or self._query_wishes[0] != seen:
            self._query_wishes = seen, QueryWishes.kept(self._folder)
        return self._query_wishes[1].instruction

    @property
    def effort_factor(self) -> float:
        """How much harder searches look than the vector index's certificate says; 1 at first."""
        return self._vectors.effort_factor

    @effort_factor.setter
    def effort_factor(self, factor: float) -> None:
        self._vectors.effort_factor = factor

    def refresh(self) -> bool:
        """Look for commits of other processes and load them now rather than at the next call.

        Returns:
            True when the generation changed since the last call.
        """
        before = (self._head.uuid, self._head.generation)
        with self.snapshot() as now:
            changed = (now.head.uuid, now.head.generation) != before
            if self._vectors.is_loaded:
                self._vectors.at(now.connection, now.head)
            if self._lexical.is_loaded:
                self._lexical.at(now.head)
        return changed

    def dense(
        self,
        vector: npt.NDArray[np.float32],
        k: int,
        where: Where | None = None,
        constraints: Constraints = UNCONSTRAINED,
    ) -> list[ScoredChunk]:
        """See `Snapshot.dense`."""
        with self.snapshot() as now:
            return now.dense(vector, k, where, constraints=constraints)

    def lexical(
        self, query: str | LexicalQuery, k: int, where: Where | None = None
    ) -> list[ScoredChunk]:
        """See `Snapshot.lexical`."""
        with self.snapshot() as now:
            return now.lexical(query, k, where)

    def chunks(self, ids: Sequence[int]) -> dict[int, StoredChunk]:
        """See `Snapshot.chunks`."""
        with self.snapshot() as now:
            return now.chunks(ids)

    def stamps(self, paths: Iterable[bytes]) -> dict[bytes, FileStamp]:
        """See `Snapshot.stamps`."""
        with self.snapshot() as now:
            return now.stamps(paths)

    def known_keys(self, keys: Iterable[bytes]) -> set[bytes]:
        """See `Snapshot.known_keys`."""
        with self.snapshot() as now:
            return now.known_keys(keys)

    def document(self, document_id: int) -> StoredDocument:
        """See `Snapshot.document`."""
        with self.snapshot() as now:
            return now.document(document_id)

    def documents(
        self, under: bytes | None = None, after: int = 0, limit: int = 100
    ) -> list[DocumentSummary]:
        """See `Snapshot.documents`."""
        with self.snapshot() as now:
            return now.documents(under, after, limit)

    def status(self) -> CollectionStatus:
        """Counts, contract, roots and sizes."""
        with self.snapshot() as now:
            rows = catalog.counts(now.connection)
            uploads = catalog.uploads(now.connection)
            return CollectionStatus(
                files=rows["files"] - uploads,
                uploads=uploads,
                documents=rows["documents"],
                chunks=rows["chunks"],
                vectors=rows["embeddings"],
                generation=now.head.generation,
                contract=now.head.contract,
                modes=provenance.counts(now.connection),
                roots=catalog.roots(now.connection),
                created=now.head.created,
                catalog_bytes=sum(_size(self._folder / f"{CATALOG}{end}") for end in ("", "-wal")),
                vectors_bytes=sum(_size(path) for path in self._folder.glob(VECTOR_FILES)),
                lexical_bytes=_size(self._folder / LEXICAL_FOLDER),
                index=index_status(self._folder, now.head),
            )


def _not_found(folder: Path) -> NotFoundError:
    return NotFoundError(f"{folder}: no collection here. Make one with: semsearch index <folder>")


def _size(path: Path) -> int:
    """Bytes of a file, or of the files in a folder; 0 when missing."""
    try:
        if not path.is_dir():
            return path.stat().st_size
        return sum(entry.stat().st_size for entry in os.scandir(path) if entry.is_file())
    except OSError:
        return 0
