"""The embedder over real and faulty runtimes, and which modes this machine can run."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.opening import open_embedder
from indexer.embedding.runtimes.base import Runtime, TokenBatch
from indexer.embedding.tokenizer import Tokenizer
from indexer.embedding.wishes import Engine, Wishes
from indexer.errors import ModelError, PlacementError, UsageError
from indexer.modes import Placement, Precision
from indexer.types import Kind, Vectors

TEXTS = ["", "one", "the model of the index", "向量", "data " * 60]


class Scripted(Runtime):
    """Gives NaN for texts with the id of `poison`; fp32 mends it or not."""

    placement = Placement.GPU
    precision = Precision.FP16
    hidden_size = 64

    def __init__(self, poison: int, mends: bool) -> None:
        self.max_batch_tokens = 64
        self.poison = poison
        self.mends = mends
        self.retried: list[int] = []

    def forward(self, batch: TokenBatch) -> Vectors:
        rows = [[np.inf if self.poison in ids else 1.0] * 64 for ids in batch]
        return np.array(rows, dtype=np.float32)

    def forward_fp32(self, batch: TokenBatch) -> Vectors | None:
        self.retried.append(len(batch))
        return np.full((len(batch), 64), 2.0 if self.mends else np.nan, dtype=np.float32)


def test_vectors_are_unit_finite_float32_in_input_order(embedder: LocalEmbedder) -> None:
    vectors = embedder.embed(TEXTS, Kind.DOCUMENT)
    assert vectors.dtype == np.float32
    assert vectors.shape == (5, embedder.spec.hidden_size)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    backwards = embedder.embed(TEXTS[::-1], Kind.DOCUMENT)[::-1]
    assert np.abs(vectors - backwards).max() <= 1e-5


def test_no_texts_are_no_vectors(embedder: LocalEmbedder) -> None:
    assert embedder.embed([], Kind.QUERY).shape == (0, embedder.spec.hidden_size)


def test_query_and_instruction_change_the_vector(tiny: LocalEmbedder) -> None:
    document = tiny.embed(["index"], Kind.DOCUMENT)
    query = tiny.embed(["index"], Kind.QUERY)
    instructed = tiny.embed(["index"], Kind.QUERY, instruction="Find code")
    assert np.abs(document - query).max() > 0.01
    assert np.abs(query - instructed).max() > 0.001


def test_dimension_is_the_head_of_the_full_vector_scaled(tiny: LocalEmbedder) -> None:
    full = tiny.embed(TEXTS, Kind.DOCUMENT)[:, :32]
    narrow = LocalEmbedder(tiny.spec, tiny.tokenizer, tiny.runtime, 32).embed(TEXTS, Kind.DOCUMENT)
    expected = full / np.linalg.norm(full, axis=1, keepdims=True)
    np.testing.assert_allclose(narrow, expected, atol=1e-6)


def test_contract_of_the_embedder_has_its_dimension(tiny: LocalEmbedder) -> None:
    narrow = LocalEmbedder(tiny.spec, tiny.tokenizer, tiny.runtime, 48)
    assert narrow.contract("1/512").dimension == 48


def test_on_batch_adds_up_to_all_texts_and_tokens(tiny: LocalEmbedder) -> None:
    seen: list[tuple[int, int]] = []
    texts = ["data " * n for n in range(40)]
    small = LocalEmbedder(tiny.spec, tiny.tokenizer, _with_budget(tiny, 100))
    small.embed(texts, Kind.DOCUMENT, on_batch=lambda *done: seen.append(done))
    assert len(seen) > 3
    assert sum(texts_done for texts_done, _ in seen) == 40
    assert sum(tokens for _, tokens in seen) == sum(tiny.tokenizer.count(texts))


def _with_budget(embedder: LocalEmbedder, tokens: int) -> Runtime:
    opened = open_embedder(embedder.spec, Wishes(Placement.CPU, max_batch_tokens=tokens))
    assert opened.runtime.max_batch_tokens == tokens
    return opened.runtime


def test_threads_may_share_an_embedder(tiny: LocalEmbedder) -> None:
    texts = [f"{word} {i}" for i in range(6) for word in ("index", "search", "token")]
    expected = tiny.embed(texts, Kind.QUERY)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda text: tiny.embed([text], Kind.QUERY)[0], texts * 3))
    assert np.abs(np.array(found) - np.tile(expected, (3, 1))).max() <= 1e-5


def test_only_one_thread_is_in_the_runtime(tiny: LocalEmbedder) -> None:
    class Watched(Scripted):
        inside = 0
        worst = 0
        guard = threading.Lock()

        def forward(self, batch: TokenBatch) -> Vectors:
            with self.guard:
                self.inside += 1
                self.worst = max(self.worst, self.inside)
            time.sleep(0.002)
            with self.guard:
                self.inside -= 1
            return super().forward(batch)

    runtime = Watched(poison=-1, mends=True)
    shared = LocalEmbedder(tiny.spec, tiny.tokenizer, runtime)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: shared.embed(["a"], Kind.QUERY), range(32)))
    assert runtime.worst == 1


def test_infinity_in_half_precision_is_mended_in_fp32(tiny: LocalEmbedder) -> None:
    runtime = Scripted(poison=ord("z"), mends=True)
    embedder = LocalEmbedder(tiny.spec, tiny.tokenizer, runtime)
    vectors = embedder.embed(["a", "z", "b"], Kind.DOCUMENT)
    np.testing.assert_allclose(vectors, np.full((3, 64), 0.125), atol=1e-6)
    assert runtime.retried == [1]


def test_nan_in_fp32_names_the_text(tiny: LocalEmbedder) -> None:
    broken = LocalEmbedder(tiny.spec, tiny.tokenizer, Scripted(poison=ord("z"), mends=False))
    with pytest.raises(ModelError, match="NaN or infinity for text 2 "):
        broken.embed(["a longer text", "b", "z"], Kind.DOCUMENT)


def test_nan_of_an_fp32_runtime_names_the_text(tiny: LocalEmbedder) -> None:
    class Exact(Scripted):
        def forward_fp32(self, batch: TokenBatch) -> Vectors | None:
            return None

    broken = LocalEmbedder(tiny.spec, tiny.tokenizer, Exact(poison=ord("z"), mends=False))
    with pytest.raises(ModelError, match="NaN or infinity for text 0 "):
        broken.embed(["z"], Kind.DOCUMENT)


def test_text_without_a_token_is_a_zero_vector(tiny: LocalEmbedder) -> None:
    class Bare(Tokenizer):
        def encode(
            self, texts: Sequence[str], kind: Kind, instruction: str | None = None
        ) -> list[list[int]]:
            return [ids[:-1] for ids in tiny.tokenizer.encode(texts, kind, instruction)]

    bare = LocalEmbedder(tiny.spec, Bare.__new__(Bare), tiny.runtime)
    vectors = bare.embed(["", "a"], Kind.DOCUMENT)
    assert not vectors[0].any()
    assert np.linalg.norm(vectors[1]) == pytest.approx(1, abs=1e-6)


def test_half_precision_model_falls_back_to_an_fp32_copy(tiny: LocalEmbedder) -> None:
    from indexer.embedding.runtimes.whole import WholeModel

    half = WholeModel(tiny.spec, precision=Precision.BF16)
    ids = tiny.tokenizer.encode(TEXTS, Kind.DOCUMENT)
    exact = half.forward_fp32(ids)
    assert exact is not None
    np.testing.assert_allclose(exact, tiny.runtime.embed_tokens(ids), atol=1e-4)
    half.close()


@pytest.mark.skipif(torch.cuda.is_available(), reason="asserts what a machine without GPU says")
def test_gpu_without_cuda_says_what_to_do(tiny: LocalEmbedder) -> None:
    with pytest.raises(PlacementError, match="no NVIDIA GPU found. Use placement cpu"):
        open_embedder(tiny.spec, Wishes(Placement.GPU))


@pytest.mark.parametrize(
    ("wishes", "text"),
    [
        (
            Wishes(Placement.CPU, Precision.BF16, Engine.ONNX),
            "cpu:bf16: it computes in fp32 and int8, not in bf16. Use engine torch",
        ),
        (
            Wishes(Placement.CPU, Precision.INT8, Engine.TORCH),
            "cpu:int8 is for engine onnx alone.*engine torch was asked for",
        ),
        (Wishes(Placement.CPU, Precision.INT4), "Mode cpu:int4 is not available"),
    ],
)
def test_mode_that_cannot_run_is_refused(tiny: LocalEmbedder, wishes: Wishes, text: str) -> None:
    with pytest.raises(PlacementError, match=text):
        open_embedder(tiny.spec, wishes)


def test_wrong_dimension_is_refused_before_anything_is_loaded(tiny: LocalEmbedder) -> None:
    nowhere = replace(tiny.spec, transformer_folder=tiny.spec.folder / "gone")
    with pytest.raises(UsageError, match="Dimension 7"):
        open_embedder(nowhere, dimension=7)


def test_auto_placement_is_cpu_without_a_gpu(
    tiny: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with open_embedder(tiny.spec, Wishes(threads=torch.get_num_threads())) as opened:
        assert opened.runtime.placement is Placement.CPU
        assert opened.runtime.precision is Precision.FP32
