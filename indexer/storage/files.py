"""Writes new and changed files, keeping every document and chunk id that can be kept."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from indexer.storage import catalog
from indexer.storage.analysis import guess_language
from indexer.storage.catalog import among
from indexer.storage.encoding import encode_heading
from indexer.storage.tables import ChunkRow, DocumentRow, FileRow
from indexer.types import Chunk, FileChange, PreparedDocument

_Identity = tuple[object, ...]  # two chunks with equal ones are the same row
_Row = dict[str, Any]


class FileWriter:
    """Collects the rows of a group of files and writes them table by table."""

    def __init__(
        self, connection: Connection, generation: int, embeddings: dict[bytes, int]
    ) -> None:
        self._connection = connection
        self._generation = generation
        self._embeddings = embeddings  # {key: embedding id}, complete for all chunks to come
        self._next = {
            table.__tablename__: catalog.next_id(connection, table.__tablename__)
            for table in (FileRow, DocumentRow, ChunkRow)
        }
        self._inserts: dict[str, list[_Row]] = {name: [] for name in self._next}
        self._updates: dict[str, list[_Row]] = {name: [] for name in self._next}
        self._dead: dict[int, int] = {}  # chunk id: embedding id
        self._dead_documents: list[int] = []

    def put(self, files: Sequence[FileChange]) -> tuple[set[int], set[int]]:
        """Write all; returns (ids of chunks that went, ids of embeddings that lost a chunk)."""
        old_files = catalog.file_ids(self._connection, [file.stamp.path for file in files])
        old_documents = self._old_documents(list(old_files.values()))
        old_chunks = self._old_chunks([row.id for rows in old_documents.values() for row in rows])
        for file in files:
            file_id = self._put_file(file, old_files.get(file.stamp.path))
            old = {row.member: row for row in old_documents.get(file_id, ())}
            for document in file.documents:
                self._put_document(file_id, document, old.pop(document.member, None), old_chunks)
            for row in old.values():
                self._dead_documents.append(row.id)
                self._dead.update((c.id, c.embedding_id) for c in old_chunks.get(row.id, ()))
        self._write()
        return set(self._dead), set(self._dead.values())

    def _take_id(self, table: type[FileRow | DocumentRow | ChunkRow]) -> int:
        taken = self._next[table.__tablename__]
        self._next[table.__tablename__] = taken + 1
        return taken

    def _put_file(self, file: FileChange, file_id: int | None) -> int:
        stamp = file.stamp
        row: _Row = {
            "size_bytes": stamp.size_bytes,
            "mtime_ns": stamp.mtime_ns,
            "sha256": stamp.sha256,
        }
        if file_id is None:
            file_id = self._take_id(FileRow)
            self._inserts["files"].append({"id": file_id, "path": stamp.path, **row})
        else:
            self._updates["files"].append({"row_id": file_id, **row})
        return file_id

    def _put_document(
        self,
        file_id: int,
        document: PreparedDocument,
        old: Any,
        old_chunks: dict[int, list[Any]],
    ) -> None:
        row: _Row = {
            "title": document.title,
            "format": document.format,
            "language": guess_language(chunk.text for chunk in document.chunks),
            "metadata": json.dumps(dict(document.metadata), ensure_ascii=False),
        }
        if old is None:
            document_id = self._take_id(DocumentRow)
            self._inserts["documents"].append(
                {"id": document_id, "file_id": file_id, "member": document.member, **row}
            )
            self._put_chunks(document_id, document, [], reindex=False)
            return
        self._updates["documents"].append({"row_id": old.id, **row})
        # The lexical copy holds title and stems next to each chunk: kept chunks must be taken
        # again.
        reindex = (old.title, old.language) != (row["title"], row["language"])
        self._put_chunks(old.id, document, old_chunks.get(old.id, []), reindex)

    def _put_chunks(
        self, document_id: int, document: PreparedDocument, old: list[Any], reindex: bool
    ) -> None:
        kept: dict[_Identity, list[Any]] = {}
        for row in reversed(old):
            kept.setdefault(tuple(row[4:]), []).append(row)
        for chunk, key in zip(document.chunks, document.keys, strict=True):
            values = self._chunk_values(chunk, key)
            same = kept.get(tuple(values.values()))
            if same:
                row = same.pop()
                if reindex or row.ordinal != chunk.ordinal:
                    generation = self._generation if reindex else row.generation
                    self._updates["chunks"].append(
                        {"row_id": row.id, "ordinal": chunk.ordinal, "generation": generation}
                    )
                continue
            self._inserts["chunks"].append(
                {
                    "id": self._take_id(ChunkRow),
                    "document_id": document_id,
                    "generation": self._generation,
                    "ordinal": chunk.ordinal,
                    **values,
                    "text": chunk.text,
                }
            )
        self._dead.update((row.id, row.embedding_id) for rows in kept.values() for row in rows)

    def _chunk_values(self, chunk: Chunk, key: bytes) -> _Row:
        """The columns two equal chunks agree in; `_old_chunks` selects them in this order."""
        return {
            "embedding_id": self._embeddings[key],
            "start": chunk.start,
            "end": chunk.end,
            "start_line": chunk.start_line,
            "end_line": chunk.end_line,
            "heading": encode_heading(chunk.heading),
            "place": chunk.place,
            "content_hash": chunk.content_hash,
        }

    def _old_documents(self, file_ids: Sequence[int]) -> dict[int, list[Any]]:
        if not file_ids:
            return {}
        columns = (DocumentRow.file_id, DocumentRow.id, DocumentRow.member)
        query = select(*columns, DocumentRow.title, DocumentRow.language)
        found: dict[int, list[Any]] = {}
        for row in self._connection.execute(query.where(among(DocumentRow.file_id, file_ids))):
            found.setdefault(row.file_id, []).append(row)
        return found

    def _old_chunks(self, document_ids: Sequence[int]) -> dict[int, list[Any]]:
        if not document_ids:
            return {}
        query = (
            select(
                ChunkRow.document_id,
                ChunkRow.id,
                ChunkRow.ordinal,
                ChunkRow.generation,
                ChunkRow.embedding_id,
                ChunkRow.start,
                ChunkRow.end,
                ChunkRow.start_line,
                ChunkRow.end_line,
                ChunkRow.heading,
                ChunkRow.place,
                ChunkRow.content_hash,
            )
            .where(among(ChunkRow.document_id, document_ids))
            .order_by(ChunkRow.document_id, ChunkRow.ordinal)
        )
        found: dict[int, list[Any]] = {}
        for row in self._connection.execute(query):
            found.setdefault(row.document_id, []).append(row)
        return found

    def _write(self) -> None:
        run = self._connection.execute
        if self._dead:
            run(delete(ChunkRow).where(among(ChunkRow.id, self._dead)))
        if self._dead_documents:
            run(delete(DocumentRow).where(among(DocumentRow.id, self._dead_documents)))
        for table in (FileRow, DocumentRow, ChunkRow):
            if rows := self._inserts[table.__tablename__]:
                run(insert(table), rows)
            if rows := self._updates[table.__tablename__]:
                run(update(table).where(table.id == bindparam("row_id")), rows)
