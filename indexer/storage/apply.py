"""Turns one `Changes` into rows inside the caller's transaction, checked before the first write."""

import os
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from indexer.errors import StoreError
from indexer.modes import Mode
from indexer.paths import display_path
from indexer.storage import catalog, provenance
from indexer.storage.catalog import Head, among
from indexer.storage.chunks import chunks_of_embeddings
from indexer.storage.encoding import encode_ids, encode_vectors
from indexer.storage.files import FileWriter
from indexer.storage.tables import (
    ChunkRow,
    CollectionRow,
    DocumentRow,
    EmbeddingRow,
    FileRow,
    RemovalRow,
)
from indexer.types import Changes, FileStamp


def apply_changes(connection: Connection, head: Head, changes: Changes) -> int:
    """Write removals, then moves, then touches, then new and changed files; returns the generation.

    The generation grows by one, except when only stamps were touched: no answer changes then.

    Raises:
        StoreError: changes that do not fit together or the contract; nothing was written.
    """
    labels = _labels(changes)
    known = catalog.embedding_ids(connection, labels)
    encoded = encode_vectors(
        {key: v for key, v in changes.vectors.items() if key in labels and key not in known},
        head.contract.dimension,
        labels,
    )
    _check_keys(labels, known.keys() | encoded.keys())
    moving = catalog.file_ids(connection, [old for old, _ in changes.moved])
    _check_known([old for old, _ in changes.moved], moving, "moved")
    touching = catalog.file_ids(connection, [stamp.path for stamp in changes.touched])
    _check_known([stamp.path for stamp in changes.touched], touching, "touched")

    _touch(connection, changes.touched)
    if not (changes.files or changes.moved or changes.removed):
        return head.generation
    step = _Step(connection, head.generation + 1)
    step.remove(changes.removed)
    step.move(changes.moved)
    writer = FileWriter(
        connection, step.generation, known | step.add_embeddings(encoded, changes.mode)
    )
    dead_chunks, dead_embeddings = writer.put(changes.files)
    step.finish(dead_chunks, dead_embeddings)
    return step.generation


class _Step:
    """One generation in the making: collects what dies on the way."""

    def __init__(self, connection: Connection, generation: int) -> None:
        self._connection = connection
        self.generation = generation
        self._dead_chunks: set[int] = set()
        self._loose_embeddings: set[int] = set()  # lost a chunk; dead if no chunk is left

    def remove(self, paths: Iterable[bytes]) -> None:
        """Delete files with all they hold; unknown paths are as good as removed."""
        file_ids = list(catalog.file_ids(self._connection, list(paths)).values())
        if not file_ids:
            return
        gone = (
            select(ChunkRow.id, ChunkRow.embedding_id)
            .join(DocumentRow, DocumentRow.id == ChunkRow.document_id)
            .where(among(DocumentRow.file_id, file_ids))
        )
        for chunk_id, embedding_id in self._connection.execute(gone):
            self._dead_chunks.add(chunk_id)
            self._loose_embeddings.add(embedding_id)
        self._connection.execute(delete(FileRow).where(among(FileRow.id, file_ids)))

    def move(self, moved: Sequence[tuple[bytes, FileStamp]]) -> None:
        """Give files new paths, all at once: a swap of two names is fine."""
        if not moved:
            return
        ids = catalog.file_ids(self._connection, [old for old, _ in moved])
        # What lay at a target before and did not move away was overwritten.
        self.remove({stamp.path for _, stamp in moved} - ids.keys())
        place = update(FileRow).where(FileRow.id == bindparam("file_id"))
        # Two passes, as the unique paths may swap; a NUL cannot start a real path.
        parked = [{"file_id": i, "path": b"\0%d" % i} for i in ids.values()]
        self._connection.execute(place, parked)
        rows = [{"file_id": ids[old], **_stamp_row(stamp)} for old, stamp in moved]
        self._connection.execute(place, rows)
        renamed = [
            ids[old]
            for old, stamp in moved
            if os.path.basename(old) != os.path.basename(stamp.path)
        ]
        self._reindex(renamed)

    def _reindex(self, file_ids: Sequence[int]) -> None:
        """The lexical copy holds file names: let it take these chunks again."""
        documents = select(DocumentRow.id).where(among(DocumentRow.file_id, file_ids))
        self._connection.execute(
            update(ChunkRow)
            .where(ChunkRow.document_id.in_(documents))
            .values(generation=self.generation)
        )

    def add_embeddings(self, encoded: dict[bytes, bytes], mode: Mode | None) -> dict[bytes, int]:
        """Store vectors made in this mode; {key: new id}."""
        if not encoded:
            return {}
        first = catalog.next_id(self._connection, EmbeddingRow.__tablename__)
        ids = {key: first + i for i, key in enumerate(encoded)}
        self._connection.execute(
            insert(EmbeddingRow),
            [{"id": ids[key], "key": key, "vector": blob} for key, blob in encoded.items()],
        )
        provenance.record(self._connection, first, mode)
        return ids

    def finish(self, dead_chunks: set[int], loose_embeddings: set[int]) -> None:
        """Drop embeddings nobody refers to, record the removals, step the generation."""
        self._dead_chunks |= dead_chunks
        candidates = list(self._loose_embeddings | loose_embeddings)
        in_use = set(chunks_of_embeddings(self._connection, candidates))
        dead_embeddings = [i for i in candidates if i not in in_use]
        if dead_embeddings:
            self._connection.execute(
                delete(EmbeddingRow).where(among(EmbeddingRow.id, dead_embeddings))
            )
        if self._dead_chunks:
            self._connection.execute(
                insert(RemovalRow).values(
                    generation=self.generation,
                    chunk_ids=encode_ids(self._dead_chunks),
                    embedding_ids=encode_ids(dead_embeddings),
                )
            )
        self._connection.execute(update(CollectionRow).values(generation=self.generation))


def _touch(connection: Connection, stamps: Sequence[FileStamp]) -> None:
    if stamps:
        statement = update(FileRow).where(FileRow.path == bindparam("at"))
        connection.execute(statement, [{"at": s.path, **_stamp_row(s)} for s in stamps])


def _stamp_row(stamp: FileStamp) -> dict[str, object]:
    return {
        "path": stamp.path,
        "size_bytes": stamp.size_bytes,
        "mtime_ns": stamp.mtime_ns,
        "sha256": stamp.sha256,
    }


def _check_known(paths: Sequence[bytes], ids: dict[bytes, int], what: str) -> None:
    for path in paths:
        if path not in ids:
            raise StoreError(f"{display_path(path)}: {what}, but the collection does not know it.")


def _check_keys(labels: dict[bytes, str], available: set[bytes]) -> None:
    for key, label in labels.items():
        if key not in available:
            raise StoreError(
                f"{label}: its vector {key.hex()[:16]}… is neither stored nor in this commit. "
                "Embed it first."
            )


def _labels(changes: Changes) -> dict[bytes, str]:
    """{key: name of the first chunk that needs it}; checks the shape of the changes."""
    _check_unique([f.stamp.path for f in changes.files], "changed")
    _check_unique([old for old, _ in changes.moved], "moved from")
    _check_unique([stamp.path for _, stamp in changes.moved], "moved to")
    labels: dict[bytes, str] = {}
    for file in changes.files:
        name = display_path(file.stamp.path)
        _check_unique([d.member.encode() for d in file.documents], f"member of {name}")
        for document in file.documents:
            label = f"{name}#{document.member}" if document.member else name
            if len(document.keys) != len(document.chunks):
                raise StoreError(
                    f"{label}: {len(document.chunks)} chunks but {len(document.keys)} keys."
                )
            for chunk, key in zip(document.chunks, document.keys, strict=True):
                if len(key) != 32:
                    raise StoreError(f"{label}, chunk {chunk.ordinal}: key of {len(key)} bytes.")
                labels.setdefault(key, f"{label}, chunk {chunk.ordinal}")
    return labels


def _check_unique(values: Sequence[bytes], what: str) -> None:
    seen: set[bytes] = set()
    for value in values:
        if value in seen:
            raise StoreError(f"{display_path(value)}: {what} twice in one commit.")
        seen.add(value)
