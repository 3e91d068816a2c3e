"""One table of fields for all threads of a reader, followed from commit to commit."""

import threading
from pathlib import Path

from sqlalchemy import Connection

from indexer.storage.catalog import Head
from indexer.storage.filters.fields import Allowed, ChunkSet, FieldTable
from indexer.storage.filters.kept_fields import read_fields
from indexer.storage.filters.where import Where, check_size


class SharedFields:
    """Reads the table at the first filter and keeps it for the generation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._collection = ""
        self._table = FieldTable.empty()

    def allowed(
        self,
        connection: Connection,
        head: Head,
        where: Where | None,
        among: ChunkSet | None = None,
    ) -> Allowed | None:
        """What may be found at `head`, at which the connection's transaction stands.

        Args:
            connection: to the catalog.
            head: where it stands.
            where: the filter; None lets all through.
            among: chunks to choose from; None for all.

        Returns:
            None when there is no limit.

        Raises:
            QueryError: too many conditions, or one that means nothing.
        """
        if where is None and among is None:
            return None
        if where is not None:
            check_size(where)
        with self._lock:
            table = self._table_at(connection, head)
            allowed = None if where is None else table.allowed(connection, where)
            return allowed if among is None else table.narrowed(allowed, among)

    def documents(self, connection: Connection, head: Head, where: Where) -> list[int]:
        """Ids of the documents that the filter lets through at `head`, ascending.

        Raises:
            QueryError: too many conditions, or one that means nothing.
        """
        check_size(where)
        with self._lock:
            return self._table_at(connection, head).documents(connection, where)

    def _table_at(self, connection: Connection, head: Head) -> FieldTable:
        if self._collection != head.uuid:
            self._table = read_fields(self._folder, head) or FieldTable.empty()
            self._collection = head.uuid
        if self._table.generation > head.generation:  # this request began before a commit
            return FieldTable.empty().caught_up(connection, head)
        self._table = self._table.caught_up(connection, head)
        return self._table
