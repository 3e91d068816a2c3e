"""Columns of documents that conditions look at, each different value judged once a filter."""

import fnmatch
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from indexer.storage.filters.where import (
    Documents,
    Format,
    Language,
    Leaf,
    Metadata,
    Modified,
    Path,
)
from indexer.storage.tables import DocumentRow, FileRow

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_COLUMNS: dict[str, Any] = {
    "path": select(DocumentRow.id, FileRow.path).join(FileRow, FileRow.id == DocumentRow.file_id),
    "modified": select(DocumentRow.id, FileRow.mtime_ns).join(
        FileRow, FileRow.id == DocumentRow.file_id
    ),
    "format": select(DocumentRow.id, DocumentRow.format),
    "language": select(DocumentRow.id, DocumentRow.language),
    "metadata": select(DocumentRow.id, DocumentRow.metadata_json),
}


@dataclass(frozen=True, eq=False)
class Column:
    """A value of each document."""

    documents: Ids
    numbers: Ids  # of each document's value among `values`
    values: tuple[Any, ...]  # the different ones

    @classmethod
    def read(cls, connection: Connection, name: str) -> Self:
        """A column by its name in `condition_of`."""
        rows = connection.execute(_COLUMNS[name]).all()
        known: dict[Any, int] = {}
        numbers = [known.setdefault(value, len(known)) for _, value in rows]
        documents = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        return cls(documents, np.array(numbers, np.int64), tuple(known))

    def passing(self, holds: Callable[[Any], bool]) -> Ids:
        """Documents whose value passes."""
        verdicts = np.fromiter(map(holds, self.values), np.bool_, len(self.values))
        passing: Ids = self.documents[verdicts[self.numbers]]
        return passing


def condition_of(where: Leaf) -> tuple[str, Callable[[Any], bool]]:
    """(column, whether a value of it passes)."""
    match where:
        case Path(pattern):
            matches = re.compile(fnmatch.translate(pattern), re.DOTALL).match
            return "path", lambda path: matches(os.fsdecode(path)) is not None
        case Format(names):
            return "format", names.__contains__
        case Language(names):
            return "language", names.__contains__
        case Modified(since, until):
            return (
                "modified",
                lambda ns: (since is None or ns >= since) and (until is None or ns < until),
            )
        case Metadata(key, value):
            return "metadata", lambda text: _holds(json.loads(text).get(key), value)
        case Documents():
            raise AssertionError("ids are no column")


def _holds(found: Any, value: str) -> bool:
    if isinstance(found, list):
        return any(_holds(item, value) for item in found)
    if isinstance(found, bool):
        return value == ("true" if found else "false")
    return found is not None and str(found) == value
