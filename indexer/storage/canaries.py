"""Stored vectors to compare another mode with: few, spread over the collection, always the same."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from indexer.storage import catalog
from indexer.storage.chunks import stored_chunks
from indexer.storage.encoding import decode_vectors
from indexer.storage.tables import ChunkRow, EmbeddingRow
from indexer.types import StoredChunk, Vector


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A vector with its key and the first of the chunks that share it."""

    key: bytes
    vector: Vector
    chunk: StoredChunk


def stored_vectors(connection: Connection, count: int, dimension: int) -> list[StoredVector]:
    """Up to `count` stored vectors at even distances in the order they were embedded."""
    ids = list(_spread(connection, count))
    first = (
        select(ChunkRow.embedding_id, func.min(ChunkRow.id))
        .where(catalog.among(ChunkRow.embedding_id, ids))
        .group_by(ChunkRow.embedding_id)
    )
    chunk_of = {row[0]: row[1] for row in connection.execute(first)}
    chunks = stored_chunks(connection, list(chunk_of.values()))
    query = (
        select(EmbeddingRow.id, EmbeddingRow.key, EmbeddingRow.vector)
        .where(catalog.among(EmbeddingRow.id, ids))
        .order_by(EmbeddingRow.id)
    )
    return [
        StoredVector(key, decode_vectors([blob], dimension)[0], chunks[chunk_of[embedding_id]])
        for embedding_id, key, blob in connection.execute(query)
    ]


def vectors_by_key(connection: Connection, count: int, dimension: int) -> dict[bytes, Vector]:
    """The first `count` by key.

    Keys are hashes, so these are drawn at random, and collections of the same texts under the same
    contract give the same ones.
    """
    query = select(EmbeddingRow.key, EmbeddingRow.vector).order_by(EmbeddingRow.key).limit(count)
    rows = connection.execute(query).all()
    return {row.key: decode_vectors([row.vector], dimension)[0] for row in rows}


def _spread(connection: Connection, count: int) -> Iterator[int]:
    """Distinct embedding ids, ascending: the first one at or after each of `count` marks."""
    low = connection.scalar(select(func.min(EmbeddingRow.id)))
    high = connection.scalar(select(func.max(EmbeddingRow.id)))
    if low is None or high is None:
        return
    last = low - 1
    for step in range(count):
        mark = low + (high - low) * step // max(1, count - 1)
        if mark <= last:
            continue
        found = connection.scalar(
            select(EmbeddingRow.id)
            .where(EmbeddingRow.id >= mark)
            .order_by(EmbeddingRow.id)
            .limit(1)
        )
        assert found is not None  # `mark` is at most the highest id
        last = int(found)
        yield last
