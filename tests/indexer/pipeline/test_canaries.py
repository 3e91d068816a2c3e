"""What was embedded can be put together again, and another mode's vectors are held against it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.documents.chunk import ChunkOptions
from indexer.embedding.embedder import Embedder
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.runtimes.base import Runtime, TokenBatch
from indexer.modes import Mode, Placement, Precision
from indexer.pipeline.canaries import CANARIES, compare, embedded_text, gather
from indexer.pipeline.run import IndexOptions, index
from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.types import Contract, Kind, Vectors, embedding_key

SAMPLE = Path(__file__).parents[3] / "data" / "sample"


class Noisy(Runtime):
    """Another runtime's vectors with noise of a known size, as int8 on the CPU."""

    placement, precision = Placement.CPU, Precision.INT8

    def __init__(self, inner: Runtime, noise: float) -> None:
        self.inner, self.noise = inner, noise
        self.hidden_size, self.max_batch_tokens = inner.hidden_size, inner.max_batch_tokens
        self.texts = 0

    def forward(self, batch: TokenBatch) -> Vectors:
        self.texts += len(batch)
        vectors = self.inner.forward(batch)
        drawn = np.random.default_rng(len(batch)).standard_normal(vectors.shape)
        scale = self.noise * np.linalg.norm(vectors, axis=1, keepdims=True)
        noisy = vectors + scale * drawn / np.sqrt(vectors.shape[1])
        return noisy.astype(np.float32)


Noise = Callable[[float], LocalEmbedder]


@pytest.fixture
def noisy(hash_embedder: Embedder) -> Noise:
    assert isinstance(hash_embedder, LocalEmbedder)
    right = hash_embedder
    return lambda noise: LocalEmbedder(right.spec, right.tokenizer, Noisy(right.runtime, noise))


@pytest.fixture
def sample(tmp_path: Path, contract: Contract, hash_embedder: Embedder) -> Collection:
    """The sample documents of every format, in chunks small enough to shorten heading paths."""
    small = replace(contract, chunker="1/64")
    options = IndexOptions(chunking=ChunkOptions(64, 16))
    with Writer.open(tmp_path / "collection", small) as writer:
        index([SAMPLE], writer, hash_embedder, small, options)
    return Collection.open(tmp_path / "collection")


def test_embedded_text_of_every_chunk_is_put_together_again(
    sample: Collection, hash_embedder: Embedder
) -> None:
    with sample, sample.snapshot() as now:
        contract = now.head.contract
        stored = now.stored_vectors(100_000)
        assert len(stored) == sample.status().vectors > 500
        texts = [
            embedded_text(item, contract.fingerprint, contract.chunker, hash_embedder.tokenizer)
            for item in stored
        ]
    for item, text in zip(stored, texts, strict=True):
        assert text is not None, item.chunk
        assert embedding_key(contract.fingerprint, Kind.DOCUMENT, text) == item.key
    assert any(text is not None and text.startswith("… > ") for text in texts)


def test_canaries_are_spread_and_always_the_same(
    sample: Collection, hash_embedder: Embedder
) -> None:
    with sample, sample.snapshot() as now:
        first, again = (gather(now, hash_embedder.tokenizer) for _ in range(2))
        wide = [item.chunk.document_id for item in now.stored_vectors(CANARIES)]
    assert len(first.texts) == len(set(first.texts)) == CANARIES
    assert first.texts == again.texts
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert len(set(wide)) > CANARIES // 2
    expected = hash_embedder.embed(first.texts, Kind.DOCUMENT)
    np.testing.assert_allclose(first.vectors, expected, atol=1e-3)  # stored as float16


@pytest.mark.parametrize(
    ("noise", "passed"), [(0.0, True), (0.05, True), (0.1, True), (0.2, False), (1.0, False)]
)
def test_comparison_tells_rounding_from_other_vectors(
    sample: Collection, noisy: Noise, noise: float, passed: bool
) -> None:
    """Noise n turns a vector by a cosine of 1 / sqrt(1 + n^2): 0.995 at 0.1, 0.981 at 0.2."""
    embedder = noisy(noise)
    with sample, sample.snapshot() as now:
        result = compare(now, gather(now, embedder.tokenizer), embedder)
    assert result.passages == CANARIES
    assert result.mean == pytest.approx(1 / np.sqrt(1 + noise**2), abs=0.005)
    assert result.least <= result.mean
    assert result.passed is passed
    if noise == 0:
        assert result.overlap == 1.0


def test_small_collection_gives_all_it_has(
    tmp_path: Path, contract: Contract, hash_embedder: Embedder
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("one", "two"):
        (docs / f"{name}.md").write_text(f"# {name}\n\nA text about {name}.\n")
    with Writer.open(tmp_path / "collection", contract) as writer:
        index([docs], writer, hash_embedder, contract)
    with Collection.open(tmp_path / "collection") as opened, opened.snapshot() as now:
        assert len(now.stored_vectors(CANARIES)) == 2
        assert now.modes() == {str(Mode(Placement.CPU, Precision.FP32))}
        assert len(gather(now, hash_embedder.tokenizer).texts) == 2
