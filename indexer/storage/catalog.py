"""Questions to the catalog, asked in the caller's transaction: one generation."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, literal_column, or_, select
from sqlalchemy import table as sql_table
from sqlalchemy.orm import InstrumentedAttribute

from indexer.errors import CorruptError
from indexer.paths import UPLOADED
from indexer.storage.encoding import decode_contract, decode_ids
from indexer.storage.tables import (
    ChunkRow,
    CollectionRow,
    DocumentRow,
    EmbeddingRow,
    FileRow,
    RemovalRow,
    RootRow,
)
from indexer.types import Contract, FileStamp

_BATCH = 500  # values per IN list: below SQLite's old limit of 999, and few enough to compile fast

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Head:
    """What the collection is and where it stands."""

    uuid: str
    contract: Contract
    generation: int
    removals_from: int  # removals of this generation and earlier are pruned
    created: str


@dataclass(frozen=True, slots=True)
class Removal:
    """What one commit took away."""

    generation: int
    chunk_ids: list[int]
    embedding_ids: list[int]


def batches(items: Sequence[T], size: int = _BATCH) -> Iterator[Sequence[T]]:
    """Consecutive slices of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def among(column: InstrumentedAttribute[int], ids: Iterable[int]) -> ColumnElement[bool]:
    """`column IN ids` for any number of ids, in one bound value."""
    values = func.json_each(json.dumps(list(ids))).table_valued("value")
    return column.in_(select(values.c.value))


def head(connection: Connection) -> Head:
    """The collection's row.

    Raises:
        CorruptError: it is missing.
    """
    row = connection.execute(select(CollectionRow.__table__)).first()
    if row is None:
        raise CorruptError("the catalog lacks its collection row: restore it from a backup.")
    return Head(
        row.uuid, decode_contract(row.contract), row.generation, row.removals_from, row.created
    )


def roots(connection: Connection) -> tuple[bytes, ...]:
    """Recorded roots, sorted."""
    return tuple(connection.scalars(select(RootRow.path).order_by(RootRow.path)))


def beneath(under: bytes) -> ColumnElement[bool]:
    """Files that are `under` or lie inside it."""
    separator = os.sep.encode()
    prefix = under.rstrip(separator) + separator
    # The byte after the separator closes the range: an index scan, and no LIKE over raw bytes.
    end = prefix[:-1] + bytes([prefix[-1] + 1])
    return or_(FileRow.path == under, and_(FileRow.path >= prefix, FileRow.path < end))


def known_files(connection: Connection, under: bytes | None = None) -> dict[bytes, FileStamp]:
    """{path: stamp} of all files, or of those at or inside `under`."""
    query = select(FileRow.path, FileRow.size_bytes, FileRow.mtime_ns, FileRow.sha256)
    if under is not None:
        query = query.where(beneath(under))
    return {row[0]: FileStamp(*row) for row in connection.execute(query)}


def stamps(connection: Connection, paths: Iterable[bytes]) -> dict[bytes, FileStamp]:
    """{path: stamp} of those paths that are known."""
    query = select(FileRow.path, FileRow.size_bytes, FileRow.mtime_ns, FileRow.sha256).where(
        FileRow.path.in_(bindparam("paths", expanding=True))
    )
    return {
        row[0]: FileStamp(*row)
        for part in batches(sorted(set(paths)))
        for row in connection.execute(query, {"paths": part})
    }


def embedding_ids(connection: Connection, keys: Iterable[bytes]) -> dict[bytes, int]:
    """{key: embedding id} of those keys that have a stored vector."""
    found: dict[bytes, int] = {}
    query = select(EmbeddingRow.key, EmbeddingRow.id).where(
        EmbeddingRow.key.in_(bindparam("keys", expanding=True))
    )
    for part in batches(sorted(set(keys))):
        found.update((row[0], row[1]) for row in connection.execute(query, {"keys": part}))
    return found


def removals_since(connection: Connection, generation: int) -> Iterator[Removal]:
    """Removals after `generation`, oldest first; complete from `Head.removals_from` on."""
    table = RemovalRow.__table__
    query = select(table).where(RemovalRow.generation > generation).order_by(RemovalRow.generation)
    for row in connection.execute(query):
        yield Removal(row[0], decode_ids(row[1]), decode_ids(row[2]))


def counts(connection: Connection) -> dict[str, int]:
    """Rows of files, documents, chunks and embeddings."""
    tables = (FileRow, DocumentRow, ChunkRow, EmbeddingRow)
    return {
        table.__tablename__: connection.scalar(select(func.count()).select_from(table)) or 0
        for table in tables
    }


def uploads(connection: Connection) -> int:
    """How many documents lie in no file."""
    return connection.scalar(select(func.count()).where(beneath(UPLOADED))) or 0


def languages(connection: Connection) -> frozenset[str]:
    """Stemmers in use by the documents, "" for none included."""
    return frozenset(connection.scalars(select(DocumentRow.language).distinct()))


def file_ids(connection: Connection, paths: Sequence[bytes]) -> dict[bytes, int]:
    """{path: file id} of those paths that are known."""
    found: dict[bytes, int] = {}
    query = select(FileRow.path, FileRow.id).where(
        FileRow.path.in_(bindparam("paths", expanding=True))
    )
    for part in batches(sorted(set(paths))):
        found.update((row[0], row[1]) for row in connection.execute(query, {"paths": part}))
    return found


def next_id(connection: Connection, table: str) -> int:
    """The id after the highest one ever used in an AUTOINCREMENT table."""
    sequence = sql_table("sqlite_sequence")
    column: ColumnElement[int] = literal_column("seq")
    query = select(column).select_from(sequence).where(literal_column("name") == table)
    return int(connection.scalar(query) or 0) + 1
