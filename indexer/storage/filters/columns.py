"""Conditions on one field: which column each looks at, and what passes."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, select

from indexer.storage.filters.column import Column, Ids
from indexer.storage.filters.glob import matchable, path_matcher
from indexer.storage.filters.metadata import MetadataColumns
from indexer.storage.filters.where import (
    Compared,
    Field,
    Format,
    HasMetadata,
    Language,
    Metadata,
    Modified,
    Path,
    Tag,
)
from indexer.storage.tables import DocumentRow, FileRow

_COLUMNS: dict[str, Any] = {
    "path": select(DocumentRow.id, FileRow.path).join(FileRow, FileRow.id == DocumentRow.file_id),
    "modified": select(DocumentRow.id, FileRow.mtime_ns).join(
        FileRow, FileRow.id == DocumentRow.file_id
    ),
    "format": select(DocumentRow.id, DocumentRow.format),
    "language": select(DocumentRow.id, DocumentRow.language),
    "metadata": select(DocumentRow.id, DocumentRow.metadata_json),
}


class Columns:
    """The columns of one generation, each read when a condition first asks for it."""

    def __init__(self) -> None:
        self._columns: dict[str, Column] = {}
        self._metadata: MetadataColumns | None = None

    def passing(self, connection: Connection, where: Field) -> Ids:
        """Ids of the documents for which the condition holds.

        Raises:
            QueryError: a path pattern or an operand that means nothing.
        """
        if isinstance(where, Metadata | HasMetadata | Compared | Tag):
            if self._metadata is None:
                self._metadata = MetadataColumns.of(_read(connection, "metadata"))
            return self._metadata.passing(where)
        name, holds = _condition(where)
        if name not in self._columns:
            self._columns[name] = _read(connection, name)
        return self._columns[name].passing(holds)


def _read(connection: Connection, name: str) -> Column:
    rows = ((row[0], row[1]) for row in connection.execute(_COLUMNS[name]))
    if name == "path":
        rows = ((document_id, matchable(path)) for document_id, path in rows)
    return Column.of(rows)


def _condition(where: Path | Format | Language | Modified) -> tuple[str, Callable[[Any], bool]]:
    """(column, whether a value of it passes)."""
    match where:
        case Path(pattern):
            return "path", path_matcher(pattern)
        case Format(names):
            return "format", names.__contains__
        case Language(names):
            return "language", names.__contains__
        case Modified(since, until):
            return (
                "modified",
                lambda ns: (since is None or ns >= since) and (until is None or ns < until),
            )
