"""Vectors of a document whose other vectors are still being made.

A document and its vectors commit together. A book may take hours to embed on a CPU, so its vectors
wait here, outside the collection proper: no reader sees them, and a run that was interrupted finds
them again. A finished run leaves nothing.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, delete, insert, select

from indexer.modes import Mode
from indexer.storage.catalog import batches
from indexer.storage.encoding import decode_vectors, encode_vectors
from indexer.storage.tables import StagedVectorRow
from indexer.types import Vector


def stage(
    connection: Connection, vectors: Mapping[bytes, Vector], dimension: int, mode: Mode | None
) -> None:
    """Keep vectors by key, with the mode that made them; they replace those of other modes.

    Raises:
        StoreError: wrong shape, not finite, or not unit length.
    """
    labels = {key: f"text {number}" for number, key in enumerate(vectors)}
    encoded = encode_vectors(vectors, dimension, labels)
    if encoded:
        rows = [{"key": key, "vector": blob, "mode": _name(mode)} for key, blob in encoded.items()]
        connection.execute(insert(StagedVectorRow).prefix_with("OR REPLACE"), rows)


def staged(
    connection: Connection, keys: Iterable[bytes], dimension: int, mode: Mode | None
) -> dict[bytes, Vector]:
    """{key: float32, shape (dimension,)} of those keys that this mode staged."""
    if connection.scalar(select(StagedVectorRow.key).limit(1)) is None:
        return {}
    query = select(StagedVectorRow.key, StagedVectorRow.vector).where(
        StagedVectorRow.key.in_(bindparam("keys", expanding=True)),
        StagedVectorRow.mode == _name(mode),
    )
    found: dict[bytes, Vector] = {}
    for part in batches(sorted(set(keys))):
        rows = connection.execute(query, {"keys": part}).all()
        vectors = decode_vectors([row.vector for row in rows], dimension)
        found.update((row.key, vector) for row, vector in zip(rows, vectors, strict=True))
    return found


def _name(mode: Mode | None) -> str:
    return "" if mode is None else str(mode)


def clear(connection: Connection) -> None:
    """Forget all staged vectors."""
    connection.execute(delete(StagedVectorRow))
