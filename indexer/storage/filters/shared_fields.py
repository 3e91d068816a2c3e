"""One table of fields for all threads of a reader, followed from commit to commit."""

import threading
from pathlib import Path

from sqlalchemy import Connection

from indexer.storage.catalog import Head
from indexer.storage.filters.fields import Allowed, FieldTable
from indexer.storage.filters.kept_fields import read_fields
from indexer.storage.filters.where import Where, check_size


class SharedFields:
    """Reads the table at the first filter and keeps it for the generation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._collection = ""
        self._table = FieldTable.empty()

    def allowed(self, connection: Connection, head: Head, where: Where) -> Allowed:
        """What the filter lets through at `head`, at which the connection's transaction stands.

        Raises:
            QueryError: too many conditions, or one that means nothing.
        """
        check_size(where)
        with self._lock:
            if self._collection != head.uuid:
                self._table = read_fields(self._folder, head) or FieldTable.empty()
                self._collection = head.uuid
            if self._table.generation > head.generation:  # this request began before a commit
                return FieldTable.empty().caught_up(connection, head).allowed(connection, where)
            self._table = self._table.caught_up(connection, head)
            return self._table.allowed(connection, where)
