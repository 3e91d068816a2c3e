"""Plain FAISS recipes as engines: trained on a sample, filled block by block, kept in a file."""

from typing import Any

import numpy as np
from engine import Peer


class Faiss(Peer):
    """A plain FAISS recipe, read from its file."""

    recipe = ""
    train_rows = 200_000

    def make(self) -> Any:
        """An empty index."""
        import faiss

        return faiss.index_factory(self._dimension, self.recipe, faiss.METRIC_INNER_PRODUCT)

    def sample(self, count: int) -> Any:
        """So many rows to learn from, float32; all of them where there are fewer."""
        chosen = np.random.default_rng(0).permutation(len(self._base))[:count]
        return self._base[np.sort(chosen)].astype(np.float32)

    def train(self, index: Any) -> None:
        """Learn what the recipe learns."""
        index.train(self.sample(self.train_rows))

    def build(self) -> dict[str, Any]:
        """Train on a sample, add all."""
        import faiss

        faiss.omp_set_num_threads(self._threads)
        index = self.make()
        if not index.is_trained:
            self.train(index)
        for _, block in self.blocks():
            index.add(block)
        faiss.write_index(index, str(self._path))
        return {}

    def enter_thread(self) -> None:
        """FAISS's number of threads belongs to the thread that asks."""
        import faiss

        faiss.omp_set_num_threads(1)

    def open(self) -> None:
        """Loaded."""
        import faiss

        self.enter_thread()
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
