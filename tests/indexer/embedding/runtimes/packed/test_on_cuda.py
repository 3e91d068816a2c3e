"""The packed forward on a CUDA device (make test-gpu): kernels, graphs, streaming, memory."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.runtimes.packed import stage
from indexer.embedding.runtimes.packed.attention import attend_runs
from indexer.embedding.runtimes.packed.budget import StreamPlan
from indexer.embedding.runtimes.packed.copies import CudaCopies
from indexer.embedding.runtimes.packed.graphs import SLOTS
from indexer.embedding.runtimes.packed.model import PackedModel
from indexer.embedding.runtimes.packed.opening import open_resident, open_streamed
from indexer.modes import Precision
from indexer.types import Kind, Vectors

pytestmark = pytest.mark.gpu

TEXTS = ["", "a", "the model of the document", "向量检索 " * 20, "index " * 900]
LEAST_COSINE = {Precision.FP32: 0.999999, Precision.BF16: 0.999, Precision.FP16: 0.9999}
HALF = [Precision.BF16, Precision.FP16]
MIB = 1 << 20


@pytest.fixture
def expected(tiny: LocalEmbedder) -> Vectors:
    return tiny.embed(TEXTS, Kind.DOCUMENT)


@pytest.fixture
def ids(tiny: LocalEmbedder) -> list[list[int]]:
    return tiny.tokenizer.encode(TEXTS, Kind.DOCUMENT)


@pytest.fixture(autouse=True)
def unlimited() -> Iterator[None]:
    """A test that fails half-way must not leave its limit to the others."""
    yield
    torch.cuda.set_per_process_memory_fraction(1.0, 0)


def least_cosine(found: Vectors, expected: Vectors) -> float:
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    return float(np.einsum("ij,ij->i", unit, expected, dtype=np.float64).min())


@pytest.mark.parametrize("precision", list(LEAST_COSINE))
def test_resident_vectors_are_those_of_the_cpu(
    tiny: LocalEmbedder, ids: list[list[int]], expected: Vectors, precision: Precision
) -> None:
    model = open_resident(tiny.spec, "cuda", precision)
    assert least_cosine(model.embed_tokens(ids), expected) >= LEAST_COSINE[precision]
    one_by_one = np.concatenate([model.embed_tokens([one]) for one in ids])
    assert least_cosine(one_by_one, expected) >= LEAST_COSINE[precision]
    model.close()


@pytest.mark.skipif(
    torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 0),
    reason="flash attention needs compute capability 8.0",
)
@pytest.mark.parametrize("precision", HALF)
def test_variable_length_kernel_is_taken_where_it_runs(
    tiny: LocalEmbedder, precision: Precision
) -> None:
    model = open_resident(tiny.spec, "cuda", precision)
    assert model._attend is not attend_runs
    model.close()


@pytest.mark.parametrize("precision", HALF)
def test_recorded_graphs_give_the_vectors_of_the_plain_pass(
    tiny: LocalEmbedder, precision: Precision
) -> None:
    model = open_resident(tiny.spec, "cuda", precision)
    if model._graphs is None:
        pytest.skip("no variable-length attention on this GPU")
    for count, length in [(1, 1), (1, 24), (1, 128), (4, 128), (2, 60), (1, 24)]:
        batch = [[(7 * i + j) % 290 for j in range(length)] for i in range(count)]
        recorded = model.forward(batch)
        graphs, model._graphs = model._graphs, None
        plain = model.forward(batch)
        model._graphs = graphs
        plain /= np.linalg.norm(plain, axis=1, keepdims=True)
        assert least_cosine(recorded, plain) >= 0.9999
    assert graphs._usable
    assert set(graphs._recorded) == {32, 64, 144, 528}
    assert graphs.run([[1]] * SLOTS) is None
    model.close()


@pytest.mark.parametrize("precision", [*LEAST_COSINE, Precision.INT8])
@pytest.mark.parametrize("resident", [0, 1])
def test_streamed_vectors_are_those_of_the_cpu_in_many_passes(
    tiny: LocalEmbedder,
    ids: list[list[int]],
    expected: Vectors,
    monkeypatch: pytest.MonkeyPatch,
    precision: Precision,
    resident: int,
) -> None:
    """Small layers arrive faster than anything: a missing wait shows within a few passes."""

    def planned(*_: object) -> StreamPlan:
        return StreamPlan(resident, buffers=2, max_tokens=512)

    monkeypatch.setattr(stage, "plan_stream", planned)
    model = open_streamed(tiny.spec, "cuda", precision, 1 << 30)
    assert model.notes[0].startswith(f"{resident} of 4 layers stay")
    for _ in range(20):
        least = LEAST_COSINE.get(precision, 0.999)
        assert least_cosine(model.embed_tokens(ids), expected) >= least
    model.close()


def test_weights_are_pinned_in_place_and_let_go() -> None:
    copies = CudaCopies("cuda:0")
    source = torch.arange(1 << 22, dtype=torch.uint8)
    target = torch.zeros(1 << 22, dtype=torch.uint8, device="cuda:0")
    copies.pin(source)
    assert copies.unpinned_bytes == 0
    assert source.is_pinned()
    copies.wait(copies.copy(source, target, copies.mark()))
    assert torch.equal(target.cpu(), source)
    copies.close()
    assert not source.is_pinned()


def test_limit_on_memory_holds_and_ends_with_the_model(tiny: LocalEmbedder) -> None:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    limit = torch.cuda.memory_reserved() + 160 * MIB
    model = open_streamed(tiny.spec, "cuda", Precision.BF16, limit)
    assert isinstance(model, PackedModel)
    model.embed_tokens([[i % 290 for i in range(500)]] * 200)
    assert torch.cuda.max_memory_reserved() <= limit
    model.close()
    torch.zeros(limit + MIB, dtype=torch.uint8, device="cuda")
