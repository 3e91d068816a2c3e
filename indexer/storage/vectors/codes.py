"""The coded part: inverted lists of 4-bit codes find candidates, the rows themselves rank them.

FAISS 1.15.1 lets an IVF index take a selector where flat fast-scan and refinement refuse one, so
filters and dead rows are left out before the k best are taken, and what remains is scored from the
float16 rows: the scores are those of an exact search.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from indexer.storage.vectors.certificate import Effort
from indexer.storage.vectors.choice import CodeSpec
from indexer.storage.vectors.library import (
    Floats,
    Ids,
    Rows,
    flat_view,
    import_faiss,
    threads,
)
from indexer.storage.vectors.list_file import read_lists, write_lists
from indexer.storage.vectors.mapped import MappedRows
from indexer.storage.vectors.prefix import for_whole_rows, seen

ADD_ROWS = 20_000  # at a time: 80 MB of float32 at 1,024 dimensions
# FAISS's search of one query list by list, with a reservoir. Left to choose it takes the one for
# many queries, which takes 1.16 to 1.20 times as long (benchmarks/index/one_query.py).
_ONE_QUERY = 11
_ITERATIONS = 8  # of k-means; 20 gained nothing that a target of 0.99 would notice


class Codes:
    """Codes over the first `covered` rows. Searching is safe from several threads."""

    def __init__(self, index: Any) -> None:
        index.implem = _ONE_QUERY
        self._index = index
        self._refined: tuple[Rows, Any, Any] | None = None  # rows, exact index, both together

    @property
    def covered(self) -> int:
        """Rows coded, from the first on."""
        return int(self._index.ntotal)

    @property
    def lists(self) -> int:
        """How many inverted lists there are."""
        return int(self._index.nlist)

    @property
    def dimension(self) -> int:
        """Of each row, from the first on, that are coded."""
        return int(self._index.d)

    @classmethod
    def train(cls, spec: CodeSpec, sample: Floats) -> "Codes":
        """Learn lists and codes from a sample, float32, shape (n, dimension).

        Sampled rows may be fewer than the lists want, or all alike: lists then stay empty.
        """
        faiss = import_faiss()
        index = faiss.index_factory(sample.shape[1], spec.factory, faiss.METRIC_INNER_PRODUCT)
        index.cp.niter = _ITERATIONS
        index.cp.seed = index.pq.cp.seed = 1234
        index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1
        index.cp.max_points_per_centroid = 1 << 20  # the caller chose how many
        index.train(_enough(sample, max(spec.lists, 1 << 4)))
        return cls(index)

    def add(self, rows: Rows) -> Iterator[int]:
        """Code more rows, a block at a time; gives how many are covered after each."""
        for start in range(0, len(rows), ADD_ROWS):
            self._index.add(seen(rows[start : start + ADD_ROWS], self.dimension))
            yield self.covered

    def nearest_codes(self, queries: Floats, k: int, lists: int, chosen: Any = None) -> Ids:
        """Positions of the k best by code, best first, shape (n, k), -1 where there are fewer."""
        first = np.ascontiguousarray(queries[:, : self.dimension])
        found: Ids = self._index.search(first, k, params=self._parameters(lists, chosen))[1]
        return found

    def search(
        self, query: Floats, k: int, effort: Effort, rows: MappedRows, chosen: Any = None
    ) -> tuple[Ids, Floats]:
        """(positions, cosines) of the k best candidates, best first; fewer when lists ran out.

        Args:
            query: shape (1, dimension).
            k: at least 1.
            effort: how hard to look.
            rows: that these codes code.
            chosen: `library.selector` of the rows that may be found; None: all.
        """
        faiss = import_faiss()
        k = min(k, self.covered)
        candidates = min(max(effort.candidates, k), self.covered)
        with threads(1):
            if not rows.is_checked:
                found = self.nearest_codes(query, candidates, effort.lists, chosen)[0]
                rows.check(found[found >= 0])
            parameters = self._parameters(effort.lists, chosen)
            if self.dimension < query.shape[1]:
                parameters = faiss.SearchParametersPreTransform(index_params=parameters)
            refining = faiss.IndexRefineSearchParameters(
                k_factor=candidates / k, base_index_params=parameters
            )
            scores, positions = self._refine(rows.rows).search(query, k, params=refining)
        real = positions[0] >= 0
        return positions[0][real], scores[0][real]

    def _refine(self, rows: Rows) -> Any:
        if self._refined is None or self._refined[0] is not rows:
            exact = flat_view(rows[: self.covered])
            coded = for_whole_rows(self._index, rows.shape[1])
            self._refined = rows, exact, import_faiss().IndexRefine(coded, exact)
        return self._refined[2]

    def _parameters(self, lists: int, chosen: Any) -> Any:
        faiss = import_faiss()
        nprobe = max(1, min(lists, self.lists))
        if chosen is None:
            return faiss.SearchParametersIVF(nprobe=nprobe)
        return faiss.SearchParametersIVF(nprobe=nprobe, sel=chosen)

    def write(self, path: Path) -> str:
        """Atomically; returns the sha256."""
        return write_lists(self._index, path)

    @classmethod
    def read(cls, file: BinaryIO, path: Path, *, growable: bool = False) -> "Codes":
        """From a file whose checksum was found right.

        Args:
            file: open at its start.
            path: of that file.
            growable: into memory, so that rows can be added; else searched where they lie.

        Raises:
            ValueError, RuntimeError: not codes that this version or this FAISS reads.
            OSError: replaced or unreadable.
        """
        return cls(read_lists(file, path, mapped=not growable))


def _enough(sample: Floats, least: int) -> Floats:
    """The sample, repeated until there are as many rows as lists: k-means refuses fewer."""
    if len(sample) >= least:
        return sample
    return np.tile(sample, (-(-least // len(sample)), 1))
