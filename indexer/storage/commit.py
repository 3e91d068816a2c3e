"""The one writer of a collection: each commit is one catalog transaction; the two copies follow."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, delete, insert, update

from indexer.errors import NotFoundError
from indexer.modes import Mode
from indexer.storage import catalog, documents, lexical, staging
from indexer.storage.apply import apply_changes
from indexer.storage.catalog import Head
from indexer.storage.claim import claim
from indexer.storage.documents import DocumentSummary
from indexer.storage.engine import open_writer_engine, store_errors
from indexer.storage.filters import kept_fields
from indexer.storage.lexical import LexicalWriter
from indexer.storage.lock import WriterLock
from indexer.storage.manifest import remove_leftovers
from indexer.storage.migrate import migrate
from indexer.storage.tables import (
    CollectionRow,
    RemovalRow,
    RootRow,
)
from indexer.storage.vectors import sync as vectors
from indexer.storage.vectors.layout import UNFINISHED_CODES
from indexer.storage.vectors.sync import sync_vectors
from indexer.types import Changes, Contract, FileStamp, Vector

CATALOG, LOCK = "catalog.sqlite3", "lock"
LEXICAL_LAG_S = 1.0  # a server sees new text within this time during a long run
# So many new vectors are put on disk during a long run: readers need not hold them in memory then.
VECTORS_LAG_ROWS = 20_000
KEPT_REMOVALS = 1_000  # generations a reader may be behind before it compares all ids instead


class Writer:
    """Writes a collection while holding its lock. Not for use by several threads at once."""

    def __init__(self, folder: Path, engine: Engine, lock: WriterLock, contract: Contract) -> None:
        """Use `Writer.open`."""
        self._folder = folder
        self._engine = engine
        self._lock = lock
        self._contract = contract
        self._lexical = LexicalWriter(folder)
        self._lexical_at = time.monotonic()
        self._vectors_behind = 0

    @classmethod
    def open(
        cls, folder: Path, contract: Contract, *, reembed: bool = False, create: bool = True
    ) -> Self:
        """Take the lock; create the collection or bring its schema up to date.

        Args:
            folder: the collection's.
            contract: what the vectors to come mean.
            reembed: under another contract, empty the collection (roots stay) instead of refusing.
            create: make a collection where there is none.

        Raises:
            LockedError: another writer holds it.
            NotFoundError: there is no collection and `create` is false.
            ContractError: the collection has another contract and `reembed` is false, or it is to
                be emptied and holds documents that lie in no file.
            TooNewError: a newer semsearch wrote it.
            CorruptError: the catalog is damaged.
        """
        with ExitStack() as undo, store_errors(folder):
            if not create and not (folder / CATALOG).is_file():
                raise NotFoundError(f"{folder}: no collection here.")
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = WriterLock(folder / LOCK)
            undo.callback(lock.release)
            remove_leftovers(folder, others=UNFINISHED_CODES)
            engine = open_writer_engine(folder / CATALOG)
            undo.callback(engine.dispose)
            with engine.begin() as connection:
                migrate(connection, folder)
                head = claim(connection, folder, contract, reembed)
            vectors.disown_if_ahead(folder, head)
            lexical.disown_if_ahead(folder, head)
            kept_fields.disown_if_ahead(folder, head)
            undo.pop_all()
            return cls(folder, engine, lock, contract)
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

    @property
    def folder(self) -> Path:
        """The collection's."""
        return self._folder

    @property
    def contract(self) -> Contract:
        """What the stored vectors mean."""
        return self._contract

    @property
    def generation(self) -> int:
        """Of the newest commit."""
        with self._reading() as connection:
            return catalog.head(connection).generation

    def close(self) -> None:
        """Fold the log into the catalog and let the next writer in. Does not `sync`."""
        self._engine.dispose()  # the last connection to close checkpoints the log
        self._lock.release()

    def known_files(self, under: bytes | None = None) -> dict[bytes, FileStamp]:
        """{path: stamp} of all files, or of those at or inside `under`."""
        with self._reading() as connection:
            return catalog.known_files(connection, under)

    def stamps(self, paths: Iterable[bytes]) -> dict[bytes, FileStamp]:
        """{path: stamp} of those of the paths that are known."""
        with self._reading() as connection:
            return catalog.stamps(connection, paths)

    def documents_at(self, paths: Sequence[bytes]) -> dict[bytes, DocumentSummary]:
        """{path: its document} of those of the paths that are known and hold one document."""
        with self._reading() as connection:
            return documents.documents_at(connection, paths)

    def known_keys(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of the keys whose vector is stored."""
        with self._reading() as connection:
            return set(catalog.embedding_ids(connection, keys))

    def commit(self, changes: Changes) -> int:
        """Make the changes durable, all or none; returns the generation they are in.

        Order: removed, moved, touched, files; a vector that is already stored is not stored again.
            Readers see
        them at once; their lexical entries follow within `LEXICAL_LAG_S` while commits keep coming.

        Raises:
            StoreError: changes that do not fit together or the contract (nothing was written), or a
                full disk.
        """
        with store_errors(self._folder):
            with self._engine.begin() as connection:
                generation = apply_changes(connection, catalog.head(connection), changes)
            if time.monotonic() - self._lexical_at >= LEXICAL_LAG_S:
                self._sync_lexical()
            self._vectors_behind += len(changes.vectors)
            if self._vectors_behind >= VECTORS_LAG_ROWS:
                self._sync_vectors()
        return generation

    def stage(self, vectors: Mapping[bytes, Vector], mode: Mode | None = None) -> None:
        """Keep vectors of a document that is not complete yet; no reader sees them.

        `mode` is the one they were made in.

        Raises:
            StoreError: a vector of wrong shape, not finite, or not unit length.
        """
        with store_errors(self._folder), self._engine.begin() as connection:
            staging.stage(connection, vectors, self._contract.dimension, mode)

    def staged(self, keys: Iterable[bytes], mode: Mode | None = None) -> dict[bytes, Vector]:
        """{key: vector} of those keys that an earlier `stage` in this mode left.

        An interrupted run leaves them too.
        """
        with self._reading() as connection:
            return staging.staged(connection, keys, self._contract.dimension, mode)

    def clear_staged(self) -> None:
        """Forget staged vectors: the documents they waited for are stored, or gone."""
        with store_errors(self._folder), self._engine.begin() as connection:
            staging.clear(connection)

    def remove(self, under: bytes) -> int:
        """Take a file, or all files inside a folder, out of the collection; returns how many."""
        paths = tuple(self.known_files(under))
        if paths:
            self.commit(Changes(removed=paths))
        return len(paths)

    def sync(self) -> None:
        """Bring the copies to the catalog's generation, and drop removals nobody needs.

        Raises:
            StoreError: a copy cannot be written; the old one and the catalog are untouched.
        """
        with store_errors(self._folder):
            self._sync_lexical()
            head = self._sync_vectors()
            self._keep_fields()
            limit = head.generation - KEPT_REMOVALS
            if limit > head.removals_from:
                with self._engine.begin() as connection:
                    connection.execute(delete(RemovalRow).where(RemovalRow.generation <= limit))
                    connection.execute(update(CollectionRow).values(removals_from=limit))

    def add_root(self, path: bytes) -> None:
        """Remember a path the user asked to index (os.fsencode of the absolute path)."""
        with store_errors(self._folder), self._engine.begin() as connection:
            if path not in catalog.roots(connection):
                connection.execute(insert(RootRow).values(path=path))

    def remove_root(self, path: bytes) -> None:
        """Forget a root; its files stay until removed."""
        with store_errors(self._folder), self._engine.begin() as connection:
            connection.execute(delete(RootRow).where(RootRow.path == path))

    def roots(self) -> tuple[bytes, ...]:
        """Recorded roots, sorted."""
        with self._reading() as connection:
            return catalog.roots(connection)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with store_errors(self._folder), self._engine.begin() as connection:
            yield connection

    def _sync_vectors(self) -> Head:
        with self._reading() as connection:
            head = catalog.head(connection)
            sync_vectors(self._folder, connection, head)
        self._vectors_behind = 0
        return head

    def _keep_fields(self) -> None:
        with self._reading() as connection:
            kept_fields.keep_fields(self._folder, connection, catalog.head(connection))

    def _sync_lexical(self) -> None:
        with self._reading() as connection:
            self._lexical.catch_up(connection, catalog.head(connection))
        self._lexical_at = time.monotonic()
