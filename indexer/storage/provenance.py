"""Which mode made which vectors: a row where the mode changes, not a column on every vector."""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, func, insert, select

from indexer.modes import Mode
from indexer.storage import catalog
from indexer.storage.tables import ChunkRow, EmbeddingRow, EmbeddingRunRow

UNKNOWN = "unknown"  # vectors of collections made before this was recorded


def record(connection: Connection, first_id: int, mode: Mode | None) -> None:
    """Note that vectors with ids from `first_id` on were made in this mode."""
    last = connection.scalar(
        select(EmbeddingRunRow.mode).order_by(EmbeddingRunRow.first_id.desc()).limit(1)
    )
    name = UNKNOWN if mode is None else str(mode)
    if name != (last or UNKNOWN):
        connection.execute(insert(EmbeddingRunRow).values(first_id=first_id, mode=name))


def clear(connection: Connection) -> None:
    """Forget all: the vectors are gone."""
    connection.execute(delete(EmbeddingRunRow))


def modes(connection: Connection) -> frozenset[str]:
    """Modes that made vectors of this collection, `UNKNOWN` among them if some are not known."""
    first = connection.scalar(select(func.min(EmbeddingRow.id)))
    if first is None:
        return frozenset()
    runs = _runs(connection)
    recorded = set(runs.values())
    return frozenset(recorded if first >= min(runs, default=first + 1) else recorded | {UNKNOWN})


def counts(connection: Connection) -> dict[str, int]:
    """{mode: vectors it made that are still there}, the most first; no mode with none."""
    starts = [0, *_runs(connection)]
    names = [UNKNOWN, *_runs(connection).values()]
    ends = [*starts[1:], catalog.next_id(connection, EmbeddingRow.__tablename__)]
    found: dict[str, int] = {}
    for name, start, end in zip(names, starts, ends, strict=True):
        # Every vector has a chunk, whose index is far smaller than the table of the vectors.
        query = select(func.count(ChunkRow.embedding_id.distinct())).where(
            ChunkRow.embedding_id >= start, ChunkRow.embedding_id < end
        )
        found[name] = found.get(name, 0) + (connection.scalar(query) or 0)
    return dict(sorted(((n, c) for n, c in found.items() if c), key=lambda item: -item[1]))


def _runs(connection: Connection) -> Mapping[int, str]:
    """{first id: mode} in order."""
    query = select(EmbeddingRunRow.first_id, EmbeddingRunRow.mode).order_by(
        EmbeddingRunRow.first_id
    )
    return {row[0]: row[1] for row in connection.execute(query)}
