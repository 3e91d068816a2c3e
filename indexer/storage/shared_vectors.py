"""One vector index for all threads of a reader: many search, one brings it forward."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from indexer.storage.catalog import Head
from indexer.storage.vectors import VectorIndex


class SharedVectors:
    """Loads the index on first use and follows the catalog after that."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index: VectorIndex | None = None
        self._collection = ""
        self._turn = threading.Condition()
        self._searching = 0

    @property
    def is_loaded(self) -> bool:
        """True once somebody asked for vectors."""
        return self._index is not None

    @contextmanager
    def at(self, connection: Connection, head: Head) -> Iterator[VectorIndex]:
        """An index holding every vector live at `head`, maybe others: check hits in the catalog.

        Args:
            connection: in a read transaction that stands at `head`.
            head: the collection as that transaction sees it.
        """
        index = self._enter(connection, head)
        if index is None:
            # Another thread saw a newer collection and dropped what this transaction still sees.
            index = VectorIndex(head.contract.dimension)
            index.catch_up(connection, head)
            yield index
            return
        try:
            yield index
        finally:
            with self._turn:
                self._searching -= 1
                self._turn.notify_all()

    def _enter(self, connection: Connection, head: Head) -> VectorIndex | None:
        with self._turn:
            if self._index is None:
                self._load(connection, head)
            elif self._is_behind(self._index, head):
                self._turn.wait_for(lambda: self._searching == 0)
                self._bring_forward(connection, head)
            index = self._index
            assert index is not None
            if self._collection != head.uuid or not index.floor <= head.generation:
                return None
            self._searching += 1
            return index

    def _is_behind(self, index: VectorIndex, head: Head) -> bool:
        return index.generation < head.generation

    def _load(self, connection: Connection, head: Head) -> None:
        self._index = VectorIndex.open(self._folder, connection, head)
        self._collection = head.uuid

    def _bring_forward(self, connection: Connection, head: Head) -> None:
        assert self._index is not None
        if self._collection != head.uuid:
            self._load(connection, head)
        elif self._index.generation < head.generation:  # another thread may have done it meanwhile
            self._index.catch_up(connection, head)
