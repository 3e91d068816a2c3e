"""A quantised mode that is not good enough is replaced by fp32, with the numbers."""

from pathlib import Path

import numpy as np
import pytest

from app.search import models as registry
from app.search.models import Models
from app.settings import Settings
from indexer.embedding.embedder import Embedder
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.opening import open_embedder
from indexer.embedding.runtimes.base import Runtime, TokenBatch
from indexer.embedding.spec import ModelSpec
from indexer.embedding.wishes import Wishes
from indexer.modes import Placement, Precision
from indexer.types import Vectors


class Coarse(Runtime):
    """fp32 vectors with noise by text: what a bad quantisation gives."""

    placement, precision = Placement.CPU, Precision.INT8

    def __init__(self, inner: Runtime) -> None:
        self.inner = inner
        self.hidden_size, self.max_batch_tokens = inner.hidden_size, inner.max_batch_tokens

    def forward(self, batch: TokenBatch) -> Vectors:
        vectors = self.inner.forward(batch)
        drawn = [
            np.random.default_rng(list(ids)).standard_normal(self.hidden_size) for ids in batch
        ]
        scale = 0.12 * np.linalg.norm(vectors, axis=1, keepdims=True)
        noise = scale * np.stack(drawn) / np.sqrt(self.hidden_size)
        return (vectors + noise).astype(np.float32)


def test_bad_int8_is_replaced_by_fp32(
    home: Path, minilm_spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Precision | None] = []

    def opened(
        spec: ModelSpec, wishes: Wishes, dimension: int | None = None, *rest: object
    ) -> Embedder:
        asked.append(wishes.precision)
        right = open_embedder(spec, Wishes(Placement.CPU, Precision.FP32), dimension)
        assert isinstance(right, LocalEmbedder)
        if wishes.precision is Precision.INT8:
            return LocalEmbedder(spec, right.tokenizer, Coarse(right.runtime), dimension)
        return right

    monkeypatch.setattr(registry, "open_embedder", opened)
    said: list[str] = []
    settings = Settings.load(flags={"placement": "cpu", "precision": "int8"})
    embedder = Models(settings, say=said.append).embedder(minilm_spec)
    assert str(embedder.mode) == "cpu:fp32"
    assert asked == [Precision.INT8, Precision.FP32]
    refusal, instead = said[2:4]
    assert refusal.startswith(f"cpu:int8 is not good enough with {minilm_spec.model}: cosine")
    assert instead == "Using cpu:fp32 instead."


def test_good_int8_is_what_the_planner_may_choose_from_then_on(
    home: Path, minilm_spec: ModelSpec
) -> None:
    settings = Settings.load(flags={"placement": "cpu", "precision": "int8"})
    models = Models(settings)
    assert models.checked(minilm_spec) == frozenset()
    with models.embedder(minilm_spec) as embedder:
        assert str(embedder.mode) == "cpu:int8"
    assert models.checked(minilm_spec) == {embedder.mode}
