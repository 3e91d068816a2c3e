"""Vectors at one generation of the catalog: what lies on disk, and what came since in memory.

An index never changes. To follow the catalog, `caught_up` makes a new one that shares all it can,
so searches that are under way go on undisturbed.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from sqlalchemy import Connection, func, select

from indexer.storage import catalog
from indexer.storage.catalog import Head
from indexer.storage.encoding import VECTOR_DTYPE
from indexer.storage.tables import EmbeddingRow
from indexer.storage.vectors.certificate import Certificate, Effort
from indexer.storage.vectors.exact import ExactRows, Passing
from indexer.storage.vectors.library import Floats, Ids, Mask, Rows
from indexer.storage.vectors.mapped import MappedRows
from indexer.storage.vectors.stored import Coded, Stored, open_stored
from indexer.types import Scan

_ROWS = 2_000  # vectors per read from the catalog
_PARTS = 4  # in memory; more are made one, so that a search asks few
# Without files, as after damage, rows are read from the catalog; more than this many bytes go to a
# temporary file, where they cost no memory that cannot be given back.
_MEMORY_BYTES = 256 << 20


@dataclass(frozen=True, eq=False)
class VectorIndex:
    """Finds the nearest of the vectors that are live at `generation`."""

    dimension: int
    generation: int
    last_id: int  # every embedding with a higher id is missing
    mapped: MappedRows | None  # rows on disk, of which `coded` covers the first
    coded: Coded | None
    stored: ExactRows  # rows on disk
    fresh: ExactRows  # those of them that have no codes
    tail: tuple[ExactRows, ...]  # what came since

    @classmethod
    def empty(cls, dimension: int) -> Self:
        """At generation 0."""
        nothing = _no_rows(dimension)
        return cls(dimension, 0, 0, None, None, nothing, nothing, ())

    @classmethod
    def of(cls, stored: Stored) -> Self:
        """What lies on disk."""
        manifest, covered = stored.manifest, stored.covered
        rows = stored.rows.rows
        return cls(
            manifest.dimension,
            manifest.generation,
            manifest.last_id,
            stored.rows,
            stored.coded,
            ExactRows.of(stored.ids, rows, stored.dead),
            ExactRows.of(stored.ids[covered:], rows[covered:], stored.dead[covered:]),
            (),
        )

    @classmethod
    def open(cls, folder: Path, connection: Connection, head: Head) -> Self:
        """At exactly `head`: what lies on disk caught up, or all of it read from the catalog."""
        stored = open_stored(folder, head)
        index = cls.empty(head.contract.dimension) if stored is None else cls.of(stored)
        return index.caught_up(connection, head)

    @property
    def certificate(self) -> Certificate | None:
        """What the codes were measured to find; None when every search is exact."""
        return None if self.coded is None else self.coded.certificate

    @property
    def tail_rows(self) -> int:
        """Rows in memory."""
        return sum(len(part) for part in self.tail)

    def ids(self) -> Ids:
        """Ids of the vectors that may be found, ascending."""
        parts = (self.stored, *self.tail)
        return np.concatenate([part.ids[~part.dead] for part in parts])

    def search(
        self,
        vector: Floats,
        k: int,
        allowed: Mask | None = None,
        scan: Scan = Scan.CHEAPEST,
        effort_factor: float = 1.0,
    ) -> tuple[list[int], list[float]]:
        """(embedding ids, cosines) of at least the k nearest, best first, ties by id.

        Args:
            vector: float32, shape (dimension,), unit length.
            k: at least 1.
            allowed: by embedding id, which may be found; ids beyond its end may not. None: all.
            scan: which rows are scored.
            effort_factor: how much harder to look than the certificate says, at least 1.
        """
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        found = [self._search_part(part, query, k, allowed) for part in self.tail]
        found += self._search_stored(query, k, allowed, scan, effort_factor)
        ids = np.concatenate([part[0] for part in found])
        scores = np.concatenate([part[1] for part in found])
        order = np.lexsort((ids, -scores))
        return ids[order].tolist(), scores[order].tolist()

    def _search_part(
        self, part: ExactRows, query: Floats, k: int, allowed: Mask | None
    ) -> tuple[Ids, Floats]:
        positions, scores = part.search(query, k, part.passing(allowed))
        return part.ids[positions], scores

    def _search_stored(
        self, query: Floats, k: int, allowed: Mask | None, scan: Scan, effort_factor: float
    ) -> list[tuple[Ids, Floats]]:
        if self.mapped is None or self.coded is None or scan is Scan.EXACT:
            return [self._exact(self.stored, query, k, allowed)]
        covered = self.coded.codes.covered
        passing = self.stored.passing(allowed)
        possible = covered if passing is None else passing.count_before(covered)
        is_free = scan is Scan.CHEAPEST
        if possible <= k or (is_free and self._is_exact_cheaper(self.coded, k, possible)):
            return [self._exact(self.stored, query, k, allowed)]
        effort = self.coded.certificate.effort(k, possible / covered).times(effort_factor)
        coded = self._search_codes(self.coded, self.mapped, query, k, passing, possible, effort)
        if len(coded[0]) < min(k, possible):  # FAISS gives none where codes cannot tell rows apart
            return [self._exact(self.stored, query, k, allowed)]
        return [coded, self._exact(self.fresh, query, k, allowed)]

    def _search_codes(
        self,
        coded: Coded,
        mapped: MappedRows,
        query: Floats,
        k: int,
        passing: Passing | None,
        possible: int,
        effort: Effort,
    ) -> tuple[Ids, Floats]:
        """As many as there are, up to k: where the lists hold too few, more are scanned."""
        chosen = None if passing is None else passing.selector
        while True:
            positions, scores = coded.codes.search(query, k, effort, mapped, chosen)
            if len(positions) >= min(k, possible) or effort.lists >= coded.codes.lists:
                return self.stored.ids[positions], scores
            effort = replace(effort, lists=effort.lists * 4)

    def _is_exact_cheaper(self, coded: Coded, k: int, possible: int) -> bool:
        """Whether scoring every row that may be found costs less than looking among the codes."""
        share = possible / coded.codes.covered
        return coded.certificate.scattered_ms(possible) < coded.certificate.latency_ms(k, share)

    def _exact(
        self, part: ExactRows, query: Floats, k: int, allowed: Mask | None
    ) -> tuple[Ids, Floats]:
        """Exact search of rows on disk, which are hashed before they are first believed."""
        passing = part.passing(allowed)
        if self.mapped is not None and not self.mapped.is_checked:
            first = len(self.stored) - len(part)
            looked_at = np.arange(len(part)) if passing is None else passing.positions
            self.mapped.check(looked_at + first)
        positions, scores = part.search(query, k, passing)
        return part.ids[positions], scores

    def caught_up(self, connection: Connection, head: Head) -> Self:
        """The index at `head`, which is not older than this one."""
        if self.generation == head.generation and self.last_id:
            return self
        index = self._without(self._gone(connection, head))
        new = _rows_after(connection, self.last_id, self.dimension)
        parts = [*index.tail, *new]
        if len(parts) > _PARTS:
            parts = [_joined(parts)]
        return replace(
            index,
            generation=head.generation,
            last_id=int(new[0].ids[-1]) if new else self.last_id,
            tail=tuple(parts),
        )

    def _gone(self, connection: Connection, head: Head) -> Ids:
        """Ids that are here and no longer in the catalog."""
        if self.generation < head.removals_from:
            query = select(EmbeddingRow.id).where(EmbeddingRow.id <= self.last_id)
            live = np.fromiter(connection.scalars(query), dtype=np.int64)
            return np.setdiff1d(self.ids(), live)
        removed = catalog.removals_since(connection, self.generation)
        return np.array(sorted({i for step in removed for i in step.embedding_ids}), np.int64)

    def _without(self, gone: Ids) -> Self:
        if not len(gone):
            return self
        return replace(
            self,
            stored=self.stored.without(gone),
            fresh=self.fresh.without(gone),
            tail=tuple(part.without(gone) for part in self.tail),
        )


def _no_rows(dimension: int) -> ExactRows:
    return ExactRows.of(np.empty(0, np.int64), np.empty((0, dimension), VECTOR_DTYPE))


def read_rows(connection: Connection, last_id: int, dimension: int) -> Iterator[tuple[Ids, Rows]]:
    """(ids, rows) of the catalog's vectors after an id, ascending, some at a time."""
    query = (
        select(EmbeddingRow.id, EmbeddingRow.vector)
        .where(EmbeddingRow.id > last_id)
        .order_by(EmbeddingRow.id)
        .execution_options(yield_per=_ROWS)  # the connection's options would hold for what follows
    )
    for batch in connection.execute(query).partitions(_ROWS):
        ids = np.array([row[0] for row in batch], dtype=np.int64)
        rows = np.frombuffer(b"".join(row[1] for row in batch), VECTOR_DTYPE)
        yield ids, rows.reshape(len(ids), dimension)


def _rows_after(connection: Connection, last_id: int, dimension: int) -> list[ExactRows]:
    query = select(func.count()).where(EmbeddingRow.id > last_id)
    count = connection.scalar(query.select_from(EmbeddingRow)) or 0
    if not count:
        return []
    ids = np.empty(count, np.int64)
    rows = _room(count, dimension)
    filled = 0
    for some_ids, some_rows in read_rows(connection, last_id, dimension):
        ids[filled : filled + len(some_ids)] = some_ids
        rows[filled : filled + len(some_ids)] = some_rows
        filled += len(some_ids)
    assert filled == count, "one transaction sees one state"
    return [ExactRows.of(ids, rows)]


def _room(count: int, dimension: int) -> Rows:
    """Space for rows: memory, or a temporary file that vanishes with its last user."""
    shape = (count, dimension)
    if count * dimension * VECTOR_DTYPE.itemsize <= _MEMORY_BYTES:
        return np.empty(shape, VECTOR_DTYPE)
    with tempfile.TemporaryFile(prefix="semsearch-") as file:
        return np.memmap(file, VECTOR_DTYPE, "w+", shape=shape)


def _joined(parts: list[ExactRows]) -> ExactRows:
    """One part of several, without their dead."""
    kept = [~part.dead for part in parts]
    ids = np.concatenate([part.ids[mask] for part, mask in zip(parts, kept, strict=True)])
    rows = _room(len(ids), parts[0].rows.shape[1])
    filled = 0
    for part, mask in zip(parts, kept, strict=True):
        count = int(np.count_nonzero(mask))
        rows[filled : filled + count] = part.rows[mask]
        filled += count
    return ExactRows.of(ids, rows)
