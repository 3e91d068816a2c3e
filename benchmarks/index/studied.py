"""One FAISS family in a process of its own: built, opened, searched at an effort, put to trials.

    python benchmarks/index/studied.py FAMILY INDEX_FILE ROWS.f16 DIMENSION

Reads commands on stdin (see engine.py). FAISS is imported before the memory at the start is noted:
the growth is the index's alone.
"""

import argparse
import resource
from pathlib import Path
from typing import Any

from engine import serve
from faiss_peers import Faiss
from families import FAMILIES, Effort, Family, Rows
from trials import TRIALS

from indexer.storage.vectors.library import flat_view, import_faiss

faiss = import_faiss()

_LEARN_PER_LIST = 40  # as the product learns its lists; FAISS warns below 39
_LEARN_LEAST = 20_000
_ITERATIONS = 8  # of k-means, as in the product


class Studied(Faiss):
    """A family over the rows of a file."""

    def __init__(
        self, family: Family, path: Path, rows: Path, dimension: int, threads: int
    ) -> None:
        super().__init__(path, rows, dimension, threads)
        self.name, self.family, self.threads = family.name, family, threads
        self.base = self._base
        self.coded: Any = None  # what was read from the file; the index may be more than that
        self._lists = family.lists(len(self.base), dimension)
        self._parameters: dict[tuple[tuple[str, int], ...], Any] = {}

    def make(self) -> Any:
        """An empty index; a prefix is cut off and scaled to length 1 before it is coded."""
        family = self.family
        metric = faiss.METRIC_L2 if family.by_l2 else faiss.METRIC_INNER_PRODUCT
        recipe = family.factory(len(self.base), self._dimension)
        index = faiss.index_factory(family.prefix or self._dimension, recipe, metric)
        if family.construction is not None:
            faiss.ParameterSpace().set_index_parameter(index, "efConstruction", family.construction)
        if family.prefix is None:
            return index
        cut = faiss.IndexPreTransform(index)
        cut.prepend_transform(faiss.NormalizationTransform(family.prefix, 2.0))
        cut.prepend_transform(faiss.RemapDimensionsTransform(self._dimension, family.prefix, False))
        return cut

    def train(self, index: Any) -> None:
        """From as many rows as the product would learn from."""
        lists = faiss.try_extract_index_ivf(index)
        if lists is not None:
            parts = [lists.cp, lists.pq.cp] if hasattr(lists, "pq") else [lists.cp]
            lists.cp.niter = _ITERATIONS
            for learning in parts:
                learning.min_points_per_centroid = 1
                learning.max_points_per_centroid = 1 << 20  # the sample's size was chosen
        index.train(self.sample(max(_LEARN_LEAST, _LEARN_PER_LIST * self._lists)))

    def open(self) -> None:
        """Read from its file; where mapped rows rank, they are scored where they lie."""
        super().open()
        self.coded = self._index
        if self.family.rows is Rows.MAPPED:
            self._index = faiss.IndexRefine(self.coded, flat_view(self.base))

    def efforts(self) -> list[Any]:
        """Of the family."""
        return self.family.efforts(len(self.base), self._dimension)

    def search(self, query: Any, k: int, effort: Any = None, chosen: Any = None) -> list[int]:
        """Row numbers; `chosen` is a FAISS selector."""
        found = self._index.search(query[None], k, params=self.parameters(k, effort, chosen))[1][0]
        numbers: list[int] = found[found >= 0].tolist()
        return numbers

    def parameters(self, k: int, effort: Effort, chosen: Any = None) -> Any:
        """FAISS's, kept from query to query where there is no selector."""
        if chosen is not None:
            return _parameters(self._index, k, effort, {"sel": chosen})
        key = (("k", k), *effort.items())
        if key not in self._parameters:
            self._parameters[key] = _parameters(self._index, k, effort, {})
        return self._parameters[key]

    def rows_of(self, numbers: Any) -> Any:
        """Rows by their numbers, float32, from where this family takes them."""
        return self.base[numbers].astype("f4")

    def trial(self, what: str, queries: Any, effort: Any) -> dict[str, Any]:
        """One of `trials.py`."""
        return TRIALS[what](self, queries, effort)

    def disk_bytes(self) -> int:
        """Of the index, and of the float16 rows where those rank."""
        mapped = self.base.nbytes if self.family.rows is Rows.MAPPED else 0
        return super().disk_bytes() + mapped


def _parameters(index: Any, k: int, effort: Effort, chosen: dict[str, Any]) -> Any:
    """For an index and what it wraps."""
    if isinstance(index, faiss.IndexRefine):
        inner = _parameters(faiss.downcast_index(index.base_index), k, effort, chosen)
        factor = max(1.0, effort["candidates"] / k)
        return faiss.IndexRefineSearchParameters(k_factor=factor, base_index_params=inner)
    if isinstance(index, faiss.IndexPreTransform):
        inner = _parameters(faiss.downcast_index(index.index), k, effort, chosen)
        return faiss.SearchParametersPreTransform(index_params=inner)
    if isinstance(index, faiss.IndexIVF):
        return faiss.SearchParametersIVF(nprobe=effort["lists"], **chosen)
    if isinstance(index, faiss.IndexHNSW):
        return faiss.SearchParametersHNSW(efSearch=effort["ef"], **chosen)
    return faiss.SearchParameters(**chosen)


def main() -> None:
    """Serve one family."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=FAMILIES)
    for name in ("path", "rows"):
        parser.add_argument(name, type=Path)
    parser.add_argument("dimension", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-mib", type=int, help="allocations beyond it fail")
    given = parser.parse_args()
    if given.memory_mib:
        limit = given.memory_mib << 20
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))  # mapped files do not count
    family = FAMILIES[given.family]
    engine = Studied
    if family.rows is Rows.CATALOG:
        from catalog_rows import StudiedCatalog

        engine = StudiedCatalog
    serve(engine(family, given.path, given.rows, given.dimension, given.threads))


if __name__ == "__main__":
    main()
