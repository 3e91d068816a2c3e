"""One vector index for all threads of a reader: each sees its own generation, none waits long.

An index never changes (see `VectorIndex`), so following a commit or newly built codes is to put
another one in its place.
"""

import threading
import time
from pathlib import Path

from sqlalchemy import Connection

from indexer.storage.catalog import Head
from indexer.storage.manifest import path_identity
from indexer.storage.vectors.index import VectorIndex
from indexer.storage.vectors.layout import (
    INDEX_MANIFEST,
    MANIFEST,
    RowsManifest,
    note_damage,
)
from indexer.storage.vectors.stored import Stored, open_stored

_KEPT = 8  # generations kept for requests that began before the newest commit
_LOOK_EVERY_S = 1.0  # at the files, for what a writer or a build has put there
_TAIL_ROWS = 4_096  # in memory: from here on, rows that a writer put on disk are read from there

_Seen = tuple[tuple[int, ...] | None, ...]


class SharedVectors:
    """Loads the index on first use and follows the catalog and the files after that."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._collection = ""
        self._indexes: list[VectorIndex] = []  # by generation, newest last
        self._seen: _Seen = ()  # identities of the manifests that the newest one was opened from
        self._look_at = 0.0
        self._loading: threading.Thread | None = None
        self._loaded: Stored | None = None  # newer files, to be taken up by the next search
        self.effort_factor = 1.0  # how much harder to look than the codes' certificate says

    @property
    def is_loaded(self) -> bool:
        """True once somebody asked for vectors."""
        return bool(self._indexes)

    def at(self, connection: Connection, head: Head) -> VectorIndex:
        """The index at `head`.

        Args:
            connection: in a read transaction that stands at `head`.
            head: the collection as that transaction sees it.
        """
        with self._lock:
            if self._collection != head.uuid:
                self._start(connection, head)
            self._follow_files(head)
            index = self._newest_until(head.generation)
            if index is None:  # a request older than all that is kept, or than the files
                return VectorIndex.open(self._folder, connection, head)
            if index.generation < head.generation:
                index = index.caught_up(connection, head)
                self._keep(index)
            return index

    def drop_damaged(self, connection: Connection, head: Head) -> VectorIndex:
        """The index at `head` from the catalog alone: a search met rows that are not as written."""
        with self._lock:
            if manifest := RowsManifest.read(self._folder):
                note_damage(self._folder, manifest)
            index = VectorIndex.empty(head.contract.dimension).caught_up(connection, head)
            self._indexes = [index]
            self._collection, self._loaded, self._seen = head.uuid, None, self._identities()
            return index

    def _start(self, connection: Connection, head: Head) -> None:
        self._seen = self._identities()
        index = VectorIndex.open(self._folder, connection, head)
        if index.mapped is not None:
            index.mapped.check_in_background()
        self._indexes = [index]
        self._collection, self._loaded = head.uuid, None
        self._look_at = time.monotonic() + _LOOK_EVERY_S

    def _newest_until(self, generation: int) -> VectorIndex | None:
        fitting = [index for index in self._indexes if index.generation <= generation]
        return fitting[-1] if fitting else None

    def _keep(self, index: VectorIndex) -> None:
        self._indexes = sorted([*self._indexes, index], key=lambda kept: kept.generation)[-_KEPT:]

    def _follow_files(self, head: Head) -> None:
        """Take up what was loaded; look for more now and then, and load it in the background.

        Until it is loaded, searches go on with what there is: nobody waits for a large file.
        """
        if self._loaded is not None and self._loaded.manifest.generation <= head.generation:
            if self._indexes[-1].certificate != self._loaded.certificate:
                self.effort_factor = 1.0  # new codes keep what they promise, or are found out
            self._indexes = [*self._older_than(self._loaded), VectorIndex.of(self._loaded)]
            self._loaded = None
        if self._loading is not None or time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_EVERY_S
        seen = self._identities()
        codes_are_new = seen[1] != self._seen[1]
        many_in_memory = self._indexes[-1].tail_rows > _TAIL_ROWS
        if seen == self._seen or not (codes_are_new or many_in_memory):
            return
        self._loading = threading.Thread(target=self._load, args=(head, seen), daemon=True)
        self._loading.start()

    def _older_than(self, stored: Stored) -> list[VectorIndex]:
        """What is kept of before; the same generation from the new files takes its place."""
        generation = stored.manifest.generation
        return [index for index in self._indexes if index.generation < generation]

    def _load(self, head: Head, seen: _Seen) -> None:
        stored = open_stored(self._folder, head)
        if stored is not None:
            stored.rows.check_in_background()
        with self._lock:
            self._loading = None
            if self._collection == head.uuid:
                self._seen = seen
                self._loaded = stored

    def _identities(self) -> _Seen:
        return tuple(path_identity(self._folder / name) for name in (MANIFEST, INDEX_MANIFEST))
