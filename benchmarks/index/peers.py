"""What a user would pick instead, each as its documentation shows it, in a process of its own."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from engine import Engine, serve

_ADD = 20_000


class Peer(Engine):
    """An engine over a file of its own."""

    def __init__(self, path: Path, rows: Path, dimension: int, threads: int) -> None:
        self._path, self._dimension, self._threads = path, dimension, threads
        self._base = np.memmap(rows, "<f2", "r").reshape(-1, dimension)
        self._index: Any = None

    def blocks(self) -> Any:
        """(first row number, float32 rows) block by block."""
        for start in range(0, len(self._base), _ADD):
            self.on_stage("adding", start / len(self._base))
            yield start, self._base[start : start + _ADD].astype(np.float32)

    def disk_bytes(self) -> int:
        """Of its files, and of the vectors it needs beside them."""
        if self._path.is_dir():
            return sum(path.stat().st_size for path in self._path.iterdir())
        return self._path.stat().st_size


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


class Faiss(Peer):
    """A plain FAISS recipe, read from its file."""

    recipe = ""
    train_rows = 200_000

    def build(self) -> dict[str, Any]:
        """Train on a sample, add all."""
        import faiss

        faiss.omp_set_num_threads(self._threads)
        index = faiss.index_factory(self._dimension, self.recipe, faiss.METRIC_INNER_PRODUCT)
        if not index.is_trained:
            count = min(self.train_rows, len(self._base))
            chosen = np.random.default_rng(0).permutation(len(self._base))[:count]
            index.train(self._base[np.sort(chosen)].astype(np.float32))
        for _, block in self.blocks():
            index.add(block)
        faiss.write_index(index, str(self._path))
        return {}

    def open(self) -> None:
        """Loaded."""
        import faiss

        faiss.omp_set_num_threads(1)
        self._index = faiss.read_index(str(self._path))

    def search(self, query: Any, k: int, effort: Any = None) -> list[int]:
        """Positions are row numbers."""
        import faiss

        if effort is not None:
            faiss.ParameterSpace().set_index_parameters(self._index, effort)
        found: list[int] = self._index.search(query[None], k)[1][0].tolist()
        return found


class FaissFlat(Faiss):
    """Exact, float32."""

    name, recipe = "faiss-flat", "Flat"


class FaissHnsw(Faiss):
    """HNSW over 8-bit rows."""

    name, recipe = "faiss-hnsw", "HNSW32,SQ8"

    def efforts(self) -> list[Any]:
        """EfSearch."""
        return [f"efSearch={ef}" for ef in (16, 32, 64, 128, 256, 512, 1024, 2048)]


class FaissIvfPq(Faiss):
    """Fast-scan codes in lists, 8-bit rows to refine with."""

    name, recipe = "faiss-ivfpq", "IVF1024,PQ256x4fs,RFlat"

    def efforts(self) -> list[Any]:
        """Nprobe and k_factor."""
        settings = ((8, 4), (16, 8), (32, 8), (64, 8), (128, 16), (256, 16), (512, 32))
        return [f"nprobe={n},k_factor_rf={f}" for n, f in settings]


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
