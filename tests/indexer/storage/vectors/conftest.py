"""Collections of bare vectors, small enough for a test and large enough for codes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.storage.vectors import choice
from indexer.storage.vectors.build import build
from indexer.storage.vectors.certificate import Certificate
from indexer.storage.vectors.index import VectorIndex
from indexer.storage.vectors.wishes import BuildWishes, keep_wishes
from indexer.types import (
    Changes,
    Chunk,
    Contract,
    FileChange,
    FileStamp,
    Kind,
    Pooling,
    PreparedDocument,
    embedding_key,
)

Floats = npt.NDArray[np.float32]
DIMENSION = 32
IS_EXACT_CHEAPER = VectorIndex._is_exact_cheaper


def contract_of(dimension: int) -> Contract:
    return Contract(
        model="test/model",
        revision="main",
        weights_sha256="ab" * 32,
        pooling=Pooling.MEAN,
        query_prompt="",
        document_prompt="",
        eos_token_id=None,
        dimension=dimension,
        normalised=True,
        max_tokens=128,
        chunker="1/128",
    )


def clustered(count: int, seed: int = 0, dimension: int = DIMENSION) -> Floats:
    """Unit vectors around 40 centres, no two the same."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((40, dimension))
    vectors = centres[rng.integers(0, 40, count)] + 0.7 * rng.standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@dataclass
class Plain:
    """A collection where chunk i of file f is named f/i and has the i-th of its vectors."""

    folder: Path
    dimension: int = DIMENSION
    vectors: dict[str, Floats] = field(default_factory=dict)  # live, as the catalog holds them

    @property
    def contract(self) -> Contract:
        return contract_of(self.dimension)

    def change(self, name: str, vectors: Floats) -> tuple[FileChange, dict[bytes, Floats]]:
        chunks, keys, stored = [], [], {}
        for i, vector in enumerate(vectors):
            text = f"{name}/{i}"
            chunks.append(Chunk(i, text, i, i + 1, i + 1, i + 1, (), "", text, 1))
            keys.append(embedding_key(self.contract.fingerprint, Kind.DOCUMENT, text))
            stored[keys[-1]] = vector
            self.vectors[text] = vector.astype(np.float16).astype(np.float32)
        document = PreparedDocument("", name, "text", {}, tuple(chunks), tuple(keys))
        stamp = FileStamp(f"/{name}".encode(), 1, 1, name.encode().ljust(32)[:32])
        return FileChange(stamp, (document,)), stored

    def writer(self) -> Writer:
        return Writer.open(self.folder, self.contract)

    def add(self, name: str, vectors: Floats, *, sync: bool = True) -> None:
        file, stored = self.change(name, vectors)
        with self.writer() as writer:
            writer.commit(Changes(files=(file,), vectors=stored))
            if sync:
                writer.sync()

    def remove(self, *names: str, sync: bool = True) -> None:
        for text in list(self.vectors):
            if text.partition("/")[0] in names:
                del self.vectors[text]
        with self.writer() as writer:
            writer.commit(Changes(removed=tuple(f"/{name}".encode() for name in names)))
            if sync:
                writer.sync()

    def build(self, **wishes: float) -> Certificate | None:
        asked = BuildWishes(**wishes)  # type: ignore[arg-type]
        keep_wishes(self.folder, asked)
        return build(self.folder, asked, lambda _stage, _done: None)

    def reader(self) -> Collection:
        return Collection.open(self.folder)

    def nearest(self, reader: Collection, query: Floats, k: int) -> list[str]:
        with reader.snapshot() as now:
            hits = now.dense(query, k)
            chunks = now.chunks([hit.chunk_id for hit in hits])
        return [chunks[hit.chunk_id].text for hit in hits]

    def true_nearest(self, query: Floats, k: int) -> list[str]:
        """By numpy over everything that is live."""
        return self._all_true_nearest(query[None], k)[0]

    def _all_true_nearest(self, queries: Floats, k: int) -> list[list[str]]:
        names = list(self.vectors)
        rows = np.stack(list(self.vectors.values()))
        return [[names[i] for i in np.argsort(-(rows @ query))[:k]] for query in queries]

    def recall(self, reader: Collection, queries: Floats, k: int = 10) -> float:
        shares = [
            len(set(self.nearest(reader, query, k)) & set(true)) / k
            for query, true in zip(queries, self._all_true_nearest(queries, k), strict=True)
        ]
        return float(np.mean(shares))


@pytest.fixture
def plain(tmp_path: Path) -> Plain:
    return Plain(tmp_path / "collection")


@pytest.fixture
def make_plain(tmp_path: Path) -> Callable[..., Plain]:
    return lambda name, dimension=DIMENSION: Plain(tmp_path / name, dimension)


@pytest.fixture
def codes_from_500_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes are made of small collections and searched, fresh rows tolerated up to 100."""
    make_codes_from_500_rows(monkeypatch)


def make_codes_from_500_rows(patch: pytest.MonkeyPatch) -> None:
    """So few rows are sooner all scored, which would leave the codes without a test."""
    patch.setattr(choice, "EXACT_ELEMENTS", 500 * DIMENSION)
    patch.setattr(choice, "FRESH_ELEMENTS", 100 * DIMENSION)
    patch.setattr(VectorIndex, "_is_exact_cheaper", lambda *asked: asked[-1] <= asked[-2])
