"""What a user would pick instead, each as its documentation shows it, in a process of its own."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from engine import Peer, serve
from faiss_peers import FaissFlat, FaissHnsw, FaissIvfPq


class Hnswlib(Peer):
    """HNSW over float32."""

    name = "hnswlib"

    def build(self) -> dict[str, Any]:
        """M 16, as in its examples."""
        import hnswlib

        index = hnswlib.Index(space="ip", dim=self._dimension)
        index.init_index(max_elements=len(self._base), ef_construction=200, M=16)
        index.set_num_threads(self._threads)
        for start, block in self.blocks():
            index.add_items(block, np.arange(start, start + len(block)))
        index.save_index(str(self._path))
        return {}

    def open(self) -> None:
        """One thread searches."""
        import hnswlib

        self._index = hnswlib.Index(space="ip", dim=self._dimension)
        self._index.load_index(str(self._path), max_elements=len(self._base))
        self._index.set_num_threads(1)

    def efforts(self) -> list[Any]:
        """Ef."""
        return [16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048]

    def search(self, query: Any, k: int, effort: Any = None) -> list[int]:
        """Labels are row numbers."""
        self._index.set_ef(effort)
        found: list[int] = self._index.knn_query(query[None], k)[0][0].tolist()
        return found


class Usearch(Peer):
    """HNSW over float16, opened as a view of its file."""

    name = "usearch-f16"

    def build(self) -> dict[str, Any]:
        """Its defaults, in half precision."""
        from usearch.index import Index

        index = Index(ndim=self._dimension, metric="ip", dtype="f16")
        for start, block in self.blocks():
            index.add(np.arange(start, start + len(block)), block, threads=self._threads)
        index.save(str(self._path))
        return {}

    def open(self) -> None:
        """Mapped, not loaded."""
        from usearch.index import Index

        self._index = Index.restore(str(self._path), view=True)

    def efforts(self) -> list[Any]:
        """expansion_search."""
        return [16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048]

    def search(self, query: Any, k: int, effort: Any = None) -> list[int]:
        """Keys are row numbers."""
        self._index.expansion_search = effort
        found: list[int] = self._index.search(query, k, threads=1).keys.tolist()
        return found


class Scann(Peer):
    """Tree, anisotropic codes, exact reordering."""

    name = "scann"

    def build(self) -> dict[str, Any]:
        """The README's recipe for a collection of this size."""
        import scann

        leaves = int(len(self._base) ** 0.5) * 2
        dataset = self._base.astype(np.float32)
        index = (
            scann.scann_ops_pybind.builder(dataset, 10, "dot_product")
            .tree(num_leaves=leaves, num_leaves_to_search=100, training_sample_size=100_000)
            .score_ah(2, anisotropic_quantization_threshold=0.2)
            .reorder(200)
            .set_n_training_threads(self._threads)
            .build()
        )
        self._path.mkdir(parents=True, exist_ok=True)
        index.serialize(str(self._path))
        return {}

    def open(self) -> None:
        """From its folder."""
        import scann

        self._index = scann.scann_ops_pybind.load_searcher(str(self._path))

    def efforts(self) -> list[Any]:
        """(leaves searched, rows reordered)."""
        leaves = (20, 40, 80, 160, 320, 640, 1280)
        return [(n, r) for n in leaves for r in (100, 200, 400)]

    def search(self, query: Any, k: int, effort: Any = None) -> list[int]:
        """Positions are row numbers."""
        found: list[int] = self._index.search(
            query,
            final_num_neighbors=k,
            leaves_to_search=effort[0],
            pre_reorder_num_neighbors=effort[1],
        )[0].tolist()
        return found


class SqliteVec(Peer):
    """Brute force inside SQLite."""

    name = "sqlite-vec"

    def _connect(self) -> Any:
        import apsw  # Python's own sqlite3 is often built without extensions
        import sqlite_vec

        connection = apsw.Connection(str(self._path))
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        return connection

    def build(self) -> dict[str, Any]:
        """A vec0 table of float32."""
        connection = self._connect()
        kind = f"float[{self._dimension}] distance_metric=cosine"
        connection.execute(f"CREATE VIRTUAL TABLE v USING vec0(e {kind})")
        connection.execute("BEGIN")
        for start, block in self.blocks():
            rows = ((start + i, row.tobytes()) for i, row in enumerate(block))
            connection.executemany("INSERT INTO v(rowid, e) VALUES (?, ?)", rows)
        connection.execute("COMMIT")
        connection.close()
        return {}

    def open(self) -> None:
        """A connection."""
        self._index = self._connect()

    def search(self, query: Any, k: int, effort: Any = None) -> list[int]:  # noqa: ARG002
        """Row ids are row numbers."""
        sql = "SELECT rowid FROM v WHERE e MATCH ? AND k = ? ORDER BY distance"
        return [row[0] for row in self._index.execute(sql, (query.tobytes(), k))]


ENGINES: dict[str, Callable[..., Peer]] = {
    engine.name: engine
    for engine in (Hnswlib, Usearch, Scann, SqliteVec, FaissFlat, FaissHnsw, FaissIvfPq)
}


def main() -> None:
    """Serve one engine."""
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=ENGINES)
    for name in ("path", "rows"):
        parser.add_argument(name, type=Path)
    parser.add_argument("dimension", type=int)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    serve(ENGINES[given.engine](given.path, given.rows, given.dimension, given.threads))


if __name__ == "__main__":
    main()
