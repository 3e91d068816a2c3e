"""What can be filtered by, in memory at one generation: columns of documents, and their chunks.

Of chunks only ids are held (24 bytes each), and they are followed from commit to commit; columns of
documents are read when a filter first asks for them, once a generation.
"""

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Self

import numpy as np
from sqlalchemy import Connection, select
from sqlalchemy.orm import InstrumentedAttribute

from indexer.storage import catalog
from indexer.storage.catalog import Head
from indexer.storage.filters.column import Ids, Mask
from indexer.storage.filters.columns import Columns
from indexer.storage.filters.where import AllOf, AnyOf, Documents, Field, Not, Where
from indexer.storage.tables import ChunkRow


@dataclass(frozen=True, eq=False)
class Allowed:
    """What a filter lets through."""

    chunks: Mask  # by chunk id; ids beyond the end are not allowed
    embeddings: Mask  # by embedding id, likewise
    count: int  # chunks

    def has_chunk(self, chunk_id: int) -> bool:
        """Whether this chunk may be found."""
        return chunk_id < len(self.chunks) and bool(self.chunks[chunk_id])


@dataclass(frozen=True, eq=False)
class ChunkSet:
    """Some chunks, or all others."""

    ids: Ids
    excluded: bool  # the set is all chunks but these


@dataclass(frozen=True, eq=False)
class FieldTable:
    """Chunks and documents of one generation. Never changes but for columns read when asked for."""

    generation: int
    chunks: Ids  # ascending
    documents_of: Ids  # document id of each
    embeddings_of: Ids  # embedding id of each
    columns: Columns = field(default_factory=Columns)
    masks: dict[Where, Allowed] = field(default_factory=dict)

    @classmethod
    def empty(cls) -> Self:
        """At generation 0."""
        nothing = np.empty(0, np.int64)
        return cls(0, nothing, nothing, nothing)

    def is_same(self, other: Self) -> bool:
        """Whether both hold the same chunks, with the same documents and embeddings."""
        return all(
            np.array_equal(mine, theirs)
            for mine, theirs in (
                (self.chunks, other.chunks),
                (self.documents_of, other.documents_of),
                (self.embeddings_of, other.embeddings_of),
            )
        )

    def caught_up(self, connection: Connection, head: Head) -> Self:
        """The table at `head`, which is not older than this one.

        A chunk's document and embedding never change, so only new and removed ones are looked at.
        """
        if self.generation == head.generation and len(self.chunks):
            return self
        if self.generation < head.removals_from:
            return self.empty()._read(connection, head)
        removed = catalog.removals_since(connection, self.generation)
        gone = np.array([i for step in removed for i in step.chunk_ids], np.int64)
        kept = ~np.isin(self.chunks, gone)
        table = replace(
            self,
            chunks=self.chunks[kept],
            documents_of=self.documents_of[kept],
            embeddings_of=self.embeddings_of[kept],
        )
        return table._read(connection, head)

    def _read(self, connection: Connection, head: Head) -> Self:
        last = int(self.chunks[-1]) if len(self.chunks) else 0
        documents = _pairs(connection, ChunkRow.document_id, last)
        embeddings = _pairs(connection, ChunkRow.embedding_id, last)
        return replace(
            self,
            generation=head.generation,
            chunks=np.concatenate([self.chunks, documents[:, 0]]),
            documents_of=np.concatenate([self.documents_of, documents[:, 1]]),
            embeddings_of=np.concatenate([self.embeddings_of, embeddings[:, 1]]),
            columns=Columns(),
            masks={},
        )

    def narrowed(self, allowed: Allowed | None, among: ChunkSet) -> Allowed:
        """What a filter (None: all) lets through of a set of chunks."""
        passing = np.isin(self.chunks, among.ids, invert=among.excluded)
        if allowed is not None:
            passing[passing] = _holds(allowed.chunks, self.chunks[passing])
        return self._passing(passing)

    def allowed(self, connection: Connection, where: Where) -> Allowed:
        """What the filter lets through; a repeated filter costs nothing."""
        found = self.masks.get(where)
        if found is None:
            found = self._passing(self._documents(connection, where)[self.documents_of])
            if len(self.masks) >= _KEPT_MASKS:
                self.masks.clear()
            self.masks[where] = found
        return found

    def _passing(self, passing: Mask) -> Allowed:
        chunks = _by_id(self.chunks[passing])
        return Allowed(chunks, _by_id(self.embeddings_of[passing]), int(passing.sum()))

    def documents(self, connection: Connection, where: Where) -> list[int]:
        """Ids of the documents that the filter lets through, ascending."""
        passing = self._documents(connection, where)[self.documents_of]
        ids: list[int] = np.unique(self.documents_of[passing]).tolist()
        return ids

    def _documents(self, connection: Connection, where: Where) -> Mask:
        """By document id, whether the condition holds."""
        match where:
            case Not(condition):
                return ~self._documents(connection, condition)
            case AllOf(conditions):
                every = self._every(True)
                for part in conditions:
                    every &= self._documents(connection, part)
                return every
            case AnyOf(conditions):
                some = self._every(False)
                for part in conditions:
                    some |= self._documents(connection, part)
                return some
            case Documents(wanted):
                mask = self._every(False)
                mask[[i for i in wanted if 0 <= i < len(mask)]] = True
                return mask
            case _:
                return self._column_mask(connection, where)

    def _every(self, value: bool) -> Mask:
        size = int(self.documents_of.max()) + 1 if len(self.documents_of) else 1
        return np.full(size, value, np.bool_)

    def _column_mask(self, connection: Connection, where: Field) -> Mask:
        passing = self.columns.passing(connection, where)
        mask = self._every(False)
        mask[passing[passing < len(mask)]] = True  # those beyond have no chunk
        return mask


_KEPT_MASKS = 64


def _pairs(connection: Connection, column: InstrumentedAttribute[int], last: int) -> Ids:
    """(chunk id, column) of chunks after an id, ascending, shape (n, 2)."""
    query = select(ChunkRow.id, column)
    if last:  # else the index that covers the column is scanned, not the table with its texts
        query = query.where(ChunkRow.id > last)
    # Rows as the driver gives them: a million of SQLAlchemy's take a second to make.
    cursor = connection.execute(query).cursor
    flat = chain.from_iterable(cursor.fetchall())
    pairs = np.fromiter(flat, np.int64).reshape(-1, 2)
    ordered: Ids = pairs[np.argsort(pairs[:, 0])]
    return ordered


def _holds(mask: Mask, ids: Ids) -> Mask:
    """Whether each id is in a mask by id; those beyond its end are not."""
    held = np.zeros(len(ids), np.bool_)
    within = ids < len(mask)
    held[within] = mask[ids[within]]
    return held


def _by_id(ids: Ids) -> Mask:
    mask = np.zeros(int(ids.max()) + 1 if len(ids) else 0, np.bool_)
    mask[ids] = True
    return mask
