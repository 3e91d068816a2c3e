"""Questions about chunks by id: those every search asks, several times over.

Their statements are made once. To put one together anew takes SQLAlchemy eight times as long as
SQLite takes to answer it (ten chunks with their texts: 0.49 ms and 0.06 ms).
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, Text, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute

from indexer.storage.encoding import decode_heading, decode_vectors
from indexer.storage.tables import ChunkRow, DocumentRow, EmbeddingRow, FileRow
from indexer.types import FileStamp, StoredChunk, StoredFile

_IDS = func.json_each(bindparam("ids", type_=Text)).table_valued("value")


def _asked_for(column: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """`column IN ids`, which are given when the statement is run."""
    return column.in_(select(_IDS.c.value))


_LIVE = select(ChunkRow.id).where(_asked_for(ChunkRow.id))
_WRITTEN_AFTER = select(ChunkRow.id).where(ChunkRow.generation > bindparam("generation"))
_OF_EMBEDDINGS = (
    select(ChunkRow.embedding_id, ChunkRow.id)
    .where(_asked_for(ChunkRow.embedding_id))
    .order_by(ChunkRow.id)
)
_VECTORS = (
    select(ChunkRow.id, EmbeddingRow.vector)
    .join(EmbeddingRow, EmbeddingRow.id == ChunkRow.embedding_id)
    .where(_asked_for(ChunkRow.id))
)
_VECTORS_OF_DOCUMENT = (
    select(ChunkRow.id, EmbeddingRow.vector)
    .join(EmbeddingRow, EmbeddingRow.id == ChunkRow.embedding_id)
    .where(ChunkRow.document_id == bindparam("document_id"))
    .order_by(ChunkRow.ordinal)
)
_DOCUMENTS = (
    select(  # in the order of `FileStamp`'s fields, from the third on
        ChunkRow.id,
        ChunkRow.document_id,
        FileRow.path,
        FileRow.size_bytes,
        FileRow.mtime_ns,
        FileRow.sha256,
        DocumentRow.member,
    )
    .join(DocumentRow, DocumentRow.id == ChunkRow.document_id)
    .join(FileRow, FileRow.id == DocumentRow.file_id)
    .where(_asked_for(ChunkRow.id))
)
_CHUNKS = (
    select(  # in the order of `StoredChunk`'s fields
        ChunkRow.id,
        ChunkRow.document_id,
        FileRow.path,
        DocumentRow.member,
        DocumentRow.title,
        DocumentRow.format,
        ChunkRow.ordinal,
        ChunkRow.text,
        ChunkRow.start,
        ChunkRow.end,
        ChunkRow.start_line,
        ChunkRow.end_line,
        ChunkRow.heading,
        ChunkRow.place,
    )
    .join(DocumentRow, DocumentRow.id == ChunkRow.document_id)
    .join(FileRow, FileRow.id == DocumentRow.file_id)
)
_STORED = _CHUNKS.where(_asked_for(ChunkRow.id))
_AROUND = _CHUNKS.where(
    ChunkRow.document_id == bindparam("document_id"),
    ChunkRow.ordinal.between(bindparam("first"), bindparam("last")),
).order_by(ChunkRow.ordinal)


def live_chunks(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Those of the ids that are chunks now."""
    return {row[0] for row in _rows(connection, _LIVE, ids)}


def written_after(connection: Connection, generation: int) -> list[int]:
    """Ids of the chunks that are new or whose file was renamed after a generation."""
    return list(connection.scalars(_WRITTEN_AFTER, {"generation": generation}))


def chunks_of_embeddings(connection: Connection, ids: Sequence[int]) -> dict[int, list[int]]:
    """{embedding id: its chunk ids ascending}; an id without chunks is left out."""
    found: dict[int, list[int]] = {}
    for embedding_id, chunk_id in _rows(connection, _OF_EMBEDDINGS, ids):
        found.setdefault(embedding_id, []).append(chunk_id)
    return found


def documents_of_chunks(
    connection: Connection, ids: Sequence[int]
) -> tuple[dict[int, int], dict[int, StoredFile]]:
    """({chunk id: document id} of those of the ids that are chunks now, {document id: file})."""
    documents, files = {}, {}
    for chunk_id, document_id, *stamp, member in _rows(connection, _DOCUMENTS, ids):
        documents[chunk_id] = document_id
        if document_id not in files:
            files[document_id] = StoredFile(FileStamp(*stamp), member)
    return documents, files


def vectors_of_chunks(
    connection: Connection, ids: Sequence[int], dimension: int
) -> tuple[list[int], npt.NDArray[np.float32]]:
    """(chunk ids, their vectors, shape (n, dimension)); ids that are gone are left out."""
    rows = _rows(connection, _VECTORS, ids)
    return [row[0] for row in rows], decode_vectors([row[1] for row in rows], dimension)


def vectors_of_document(
    connection: Connection, document_id: int, dimension: int
) -> tuple[list[int], npt.NDArray[np.float32]]:
    """(its chunk ids in order, their vectors, shape (n, dimension)); none of one that is gone."""
    rows = connection.execute(_VECTORS_OF_DOCUMENT, {"document_id": document_id}).all()
    return [row[0] for row in rows], decode_vectors([row[1] for row in rows], dimension)


def stored_chunks(connection: Connection, ids: Sequence[int]) -> dict[int, StoredChunk]:
    """{chunk id: chunk} in the order asked for; ids that are gone are left out."""
    found = {row[0]: _stored_chunk(row) for row in _rows(connection, _STORED, ids)}
    return {chunk_id: found[chunk_id] for chunk_id in ids if chunk_id in found}


def chunks_around(connection: Connection, chunk: StoredChunk, count: int) -> list[StoredChunk]:
    """Up to `count` chunks before this one and as many after it, in order, without itself."""
    values = {
        "document_id": chunk.document_id,
        "first": chunk.ordinal - count,
        "last": chunk.ordinal + count,
    }
    rows = connection.execute(_AROUND, values)
    return [found for row in rows if (found := _stored_chunk(row)).id != chunk.id]


def _stored_chunk(row: Any) -> StoredChunk:
    values: list[Any] = [*row[:12], decode_heading(row[12]), row[13]]
    return StoredChunk(*values)


def _rows(connection: Connection, statement: Any, ids: Sequence[int]) -> Sequence[Any]:
    return connection.execute(statement, {"ids": json.dumps(list(ids))}).all()
