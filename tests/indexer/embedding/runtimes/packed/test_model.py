"""The runtime contract of the packed model: batches, memory, precision, fallbacks, closing."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.runtimes.packed.batch import PackedBatch
from indexer.embedding.runtimes.packed.model import PackedModel
from indexer.embedding.runtimes.packed.opening import open_resident, open_streamed
from indexer.errors import ModelError, PlacementError
from indexer.modes import Precision
from indexer.types import Kind, Vectors
from slow_devices import Slow

TEXTS = ["", "a", "the model of the document", "向量检索 " * 20, "index " * 150]
BUDGET = 1_200_000  # of four tiny layers in fp32, three travel
INT8_BUDGET = 910_000  # the same in int8

Opened = Callable[..., PackedModel]


@pytest.fixture
def ids(tiny: LocalEmbedder) -> list[list[int]]:
    return tiny.tokenizer.encode(TEXTS, Kind.DOCUMENT)


@pytest.fixture(params=["resident", "streamed"])
def opened(request: pytest.FixtureRequest, tiny: LocalEmbedder) -> Iterator[Opened]:
    """Open the tiny model either way."""
    made: list[PackedModel] = []

    def opener(precision: Precision = Precision.FP32) -> PackedModel:
        if request.param == "resident":
            made.append(open_resident(tiny.spec, precision=precision))
        else:
            made.append(open_streamed(tiny.spec, "cpu", precision, BUDGET, 256))
        return made[-1]

    yield opener
    for model in made:
        model.close()


def cosines(found: Vectors, expected: Vectors) -> Any:
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    return np.einsum("ij,ij->i", found.astype(np.float64), expected) / norms


def relative(vectors: Vectors, expected: Vectors) -> float:
    return float((np.abs(vectors - expected).max(axis=1) / np.linalg.norm(expected, axis=1)).max())


def test_vectors_are_those_of_transformers(
    opened: Opened, tiny: LocalEmbedder, ids: list[list[int]]
) -> None:
    assert relative(opened().embed_tokens(ids), tiny.runtime.embed_tokens(ids)) <= 1e-5


def test_bf16_vectors_are_near_those_of_fp32(
    opened: Opened, tiny: LocalEmbedder, ids: list[list[int]]
) -> None:
    found = opened(Precision.BF16).embed_tokens(ids)
    assert cosines(found, tiny.runtime.embed_tokens(ids)).min() >= 0.999


def test_int8_on_the_way_does_not_depend_on_the_room_there_is(
    tiny: LocalEmbedder, ids: list[list[int]]
) -> None:
    expected = tiny.runtime.embed_tokens(ids)
    found, staying = [], []
    for budget in (INT8_BUDGET, 1 << 30):
        model = open_streamed(tiny.spec, "cpu", Precision.INT8, budget, 256)
        assert str(model.mode) == "offload:int8"
        staying.append(model.notes[0].partition(" of 4 layers stay")[0])
        found.append(model.embed_tokens(ids))
        model.close()
    assert staying == ["1", "4"]
    assert relative(found[0], found[1]) <= 1e-6
    assert cosines(found[0], expected).min() >= 0.999


def test_vectors_do_not_depend_on_their_neighbours(opened: Opened, ids: list[list[int]]) -> None:
    model = opened()
    together = model.embed_tokens(ids)
    assert relative(model.embed_tokens(ids[::-1])[::-1], together) <= 1e-5
    assert relative(np.concatenate([model.embed_tokens([i]) for i in ids]), together) <= 1e-5


def test_layers_that_really_arrive_late_give_the_same_vectors(
    tiny: LocalEmbedder, ids: list[list[int]]
) -> None:
    """Bytes of a layer are garbage until waited for: computing too early would be seen."""
    model = open_streamed(tiny.spec, "cpu", Precision.FP32, BUDGET, 256, copies=_Reopened(0.005))
    found = [model.embed_tokens(ids) for _ in range(2)]
    model.close()
    for vectors in found:
        assert relative(vectors, tiny.runtime.embed_tokens(ids)) <= 1e-5


class _Reopened(Slow):
    """A slow device that outlives the measuring at warm-up, which closes what it pinned."""

    def close(self) -> None:
        self.finish()


@pytest.fixture(scope="session")
def long_text(tiny: LocalEmbedder) -> tuple[list[list[int]], Vectors]:
    """The longest text the model takes, and its vector by transformers."""
    text = [[(i * 17) % 290 for i in range(32_768)]]
    return text, tiny.runtime.embed_tokens(text)


def test_text_of_32k_tokens_equals_transformers(
    opened: Opened, long_text: tuple[list[list[int]], Vectors]
) -> None:
    text, expected = long_text
    assert relative(opened().embed_tokens(text), expected) <= 1e-5


def test_batches_are_counted_in_tokens_without_padding(opened: Opened) -> None:
    model = opened()
    model.max_batch_tokens = 100
    assert model.batch_size([60, 30, 10, 1]) == 3
    assert model.batch_size([200, 1]) == 1
    assert model.batch_tokens([[1] * 60, [1]]) == 61


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: out of memory"),
        MemoryError(),
    ],
)
def test_out_of_memory_in_the_middle_of_a_pass_halves_and_goes_on(
    opened: Opened,
    tiny: LocalEmbedder,
    ids: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    k: int,
) -> None:
    from indexer.embedding.runtimes.packed import layers

    model, left = opened(), k
    run = layers._run_mlp

    def failing(*parts: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise error
        run(*parts)

    monkeypatch.setattr(layers, "_run_mlp", failing)
    found = model.embed_tokens(ids)
    assert left < 0
    assert model.max_batch_tokens <= sum(map(len, ids)) // 2
    assert relative(found, tiny.runtime.embed_tokens(ids)) <= 1e-5


def test_other_errors_are_not_taken_for_memory(opened: Opened) -> None:
    assert not opened().is_out_of_memory(RuntimeError("device-side assert triggered"))


def test_non_finite_vector_is_computed_again_in_fp32(
    opened: Opened, tiny: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = opened(Precision.FP16)
    compute = PackedModel._compute

    def overflowing(self: PackedModel, host: PackedBatch, here: PackedBatch) -> torch.Tensor:
        pooled = compute(self, host, here)
        pooled[0] = float("inf")
        return pooled

    monkeypatch.setattr(PackedModel, "_compute", overflowing)
    embedder = LocalEmbedder(tiny.spec, tiny.tokenizer, model)
    found = embedder.embed(["the model of the document"], Kind.DOCUMENT)
    expected = tiny.embed(["the model of the document"], Kind.DOCUMENT)
    assert np.abs(found - expected).max() <= 1e-5


def test_fp32_has_nothing_better_to_offer(opened: Opened) -> None:
    assert opened().forward_fp32([[1, 2]]) is None


@pytest.mark.parametrize("token", [-1, 151_669, 2**31 - 1])
def test_id_beyond_the_table_is_refused_before_it_reaches_a_gpu(opened: Opened, token: int) -> None:
    with pytest.raises(ModelError, match=f"Token id {token}: the model's table has 151669 rows"):
        opened().embed_tokens([[5, token]])


@pytest.mark.parametrize("precision", [Precision.FP8, Precision.INT4])
def test_precision_that_does_not_travel_is_refused(
    tiny: LocalEmbedder, precision: Precision
) -> None:
    with pytest.raises(PlacementError, match=f"offload:{precision} is not available"):
        open_streamed(tiny.spec, "cpu", precision, BUDGET)


def test_offload_without_room_says_what_it_needs(tiny: LocalEmbedder) -> None:
    with pytest.raises(PlacementError, match="needs at least 1 MiB of GPU memory"):
        open_streamed(tiny.spec, "cpu", Precision.FP32, 500_000)


def test_closing_twice_is_closing_once(opened: Opened) -> None:
    model = opened()
    model.close()
    model.close()
