"""Rounded weights on a CUDA device (make test-gpu): its kernels against multiplying out."""

import gc
from collections.abc import Callable

import numpy as np
import pytest
import torch

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.planning import memory
from indexer.embedding.planning.candidates import MODES
from indexer.embedding.planning.published import PUBLISHED
from indexer.embedding.qwen3_config import Qwen3Config
from indexer.embedding.runtimes.packed import form_choice
from indexer.embedding.runtimes.packed.forms import MultipliedOutForm
from indexer.embedding.runtimes.packed.layout import LayerLayout
from indexer.embedding.runtimes.packed.model import PackedModel
from indexer.embedding.runtimes.packed.opening import open_resident
from indexer.embedding.runtimes.packed.products import (
    FP8_CAPABILITY,
    INT8_CAPABILITY,
    Multiply,
    choose_multiply,
    multiply_fp8,
    multiply_fp8_widened,
    multiply_int8,
)
from indexer.embedding.runtimes.packed.resident import ResidentLayers
from indexer.embedding.runtimes.packed.rounding import (
    FP8_LARGEST,
    Int4Groups,
    Int8Rows,
    Rounding,
    round_rows,
)
from indexer.modes import Mode, Placement, Precision
from indexer.types import Kind, Vectors

pytestmark = pytest.mark.gpu

DEVICE = "cuda:0"
TEXTS = ["", "a", "the model of the document", "向量检索 " * 20, "index " * 900]
LEAST = {Precision.INT8: 0.998, Precision.FP8: 0.985, Precision.INT4: 0.95}
QWEN = Qwen3Config(28, 1024, 16, 8, 128, 3072, 1e-6, 1e6)
# Products of Qwen3-0.6B: (outputs, inputs)
SHAPES = [(4096, 1024), (1024, 2048), (6144, 1024), (1024, 3072), (2048, 1024)]


def needs(capability: tuple[int, int]) -> pytest.MarkDecorator:
    have = torch.cuda.get_device_capability() if torch.cuda.is_available() else (0, 0)
    return pytest.mark.skipif(have < capability, reason=f"compute capability below {capability}")


def cosines(found: Vectors, expected: Vectors) -> Vectors:
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    return np.einsum("ij,ij->i", found.astype(np.float64), expected) / norms


def operands(
    shape: tuple[int, int], count: int, kind: torch.dtype, largest: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator(DEVICE).manual_seed(count)
    weights = torch.randn(shape, generator=draw, device=DEVICE)
    states = torch.randn((count, shape[1]), generator=draw, device=DEVICE).bfloat16()
    values, scales = round_rows(weights, largest, kind)
    return states, values, scales


@needs(INT8_CAPABILITY)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 16, 17, 24, 129, 2048])
def test_int8_kernel_gives_the_exact_sums(shape: tuple[int, int], count: int) -> None:
    states, values, scales = operands(shape, count, torch.int8, 127)
    rounded, sizes = round_rows(states, 127, torch.int8)
    sums = rounded.double() @ values.double().T  # whole numbers far below 2^53: exact
    expected = (sums.float() * scales.T * sizes).bfloat16()
    assert torch.equal(multiply_int8(states, values, scales), expected)


@needs(FP8_CAPABILITY)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 16, 17, 24, 129, 2048])
def test_fp8_kernel_gives_what_widening_gives(shape: tuple[int, int], count: int) -> None:
    operand = operands(shape, count, torch.float8_e4m3fn, FP8_LARGEST)
    found, expected = multiply_fp8(*operand).float(), multiply_fp8_widened(*operand).float()
    assert (found - expected).abs().max() <= 2**-7 * expected.abs().max()


@needs(INT8_CAPABILITY)
def test_kernels_prove_right_on_cards_that_have_them() -> None:
    assert choose_multiply(Precision.INT8, DEVICE) is multiply_int8
    has_fp8 = torch.cuda.get_device_capability() >= FP8_CAPABILITY
    assert choose_multiply(Precision.FP8, DEVICE) is (multiply_fp8 if has_fp8 else None)


@pytest.mark.parametrize("rounding", [Int8Rows(), Int4Groups()])
def test_layer_multiplied_out_has_the_bits_of_the_processor(rounding: Rounding) -> None:
    layout = LayerLayout(QWEN)
    flat = torch.randn(layout.size, generator=torch.Generator().manual_seed(1)) * 0.02
    here = MultipliedOutForm(layout, torch.bfloat16, rounding, "cpu")
    there = MultipliedOutForm(layout, torch.bfloat16, rounding, DEVICE)
    buffer = torch.zeros(here.size_bytes, dtype=torch.uint8)
    here.pack(flat, buffer)
    mine, theirs = here.unpack(buffer), there.unpack(buffer.to(DEVICE))
    for name in layout.shapes:
        assert torch.equal(getattr(mine, name), getattr(theirs, name).cpu())


def opened(tiny: LocalEmbedder, precision: Precision) -> PackedModel:
    if precision is Precision.FP8 and torch.cuda.get_device_capability() < FP8_CAPABILITY:
        pytest.skip("this card has no fp8 products")
    return open_resident(tiny.spec, "cuda", precision)


@pytest.mark.parametrize("precision", list(LEAST))
def test_vectors_are_near_fp32_alone_and_among_others(
    tiny: LocalEmbedder, precision: Precision
) -> None:
    ids = tiny.tokenizer.encode(TEXTS, Kind.DOCUMENT)
    expected = tiny.embed(TEXTS, Kind.DOCUMENT)
    model = opened(tiny, precision)
    together = model.embed_tokens(ids)
    assert cosines(together, expected).min() >= LEAST[precision]
    alone = np.concatenate([model.embed_tokens([one]) for one in ids])
    assert cosines(alone, together).min() >= 0.999
    model.close()


@needs(INT8_CAPABILITY)
@pytest.mark.parametrize("precision", list(LEAST))
def test_recorded_graphs_give_the_vectors_of_the_plain_pass(
    tiny: LocalEmbedder, precision: Precision
) -> None:
    model = opened(tiny, precision)
    assert model._graphs is not None
    for count, length in [(1, 1), (1, 24), (1, 128), (4, 128), (2, 60), (1, 24)]:
        batch = [[(7 * i + j) % 290 for j in range(length)] for i in range(count)]
        recorded = model.forward(batch)
        graphs, model._graphs = model._graphs, None
        plain = model.forward(batch)
        model._graphs = graphs
        assert cosines(recorded, plain).min() >= 0.999
    assert graphs._usable
    assert set(graphs._recorded) == {32, 64, 144, 528}
    model.close()


@pytest.mark.parametrize("precision", list(LEAST))
def test_device_holds_what_the_layers_and_the_table_take(
    tiny: LocalEmbedder, precision: Precision
) -> None:
    gc.collect()  # models of other tests
    before = torch.cuda.memory_allocated()
    model = opened(tiny, precision)
    assert isinstance(model._source, ResidentLayers)
    table = 151_669 * (64 + 4)
    working = (
        0 if model._source._form.keeps_buffer else 2 * LayerLayout(model._checkpoint.config).size
    )
    held = torch.cuda.memory_allocated() - before
    # Beside them: the libraries' workspace (cuBLASLt 32 MiB), kept by torch.
    assert 0 <= held - (model._source.size_bytes + table + working) <= 80 << 20
    model.close()


def test_int8_products_need_the_memory_that_is_planned() -> None:
    """The widest one, of a slab: whole-number sums and their float32."""
    states, values, scales = operands((6144, 1024), 2048, torch.int8, 127)
    multiply: Callable[..., torch.Tensor] = multiply_int8
    if torch.cuda.get_device_capability() < INT8_CAPABILITY:
        pytest.skip("no int8 products")
    multiply(states, values, scales)
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    multiply(states, values, scales)
    (candidate,) = [c for c in MODES if c.mode == Mode(Placement.GPU, Precision.INT8)]
    planned = memory.gpu_need(PUBLISHED["qwen3-0.6b"], candidate, 2048)
    used = torch.cuda.max_memory_allocated() - before
    assert used <= planned.activations + planned.workspace


def test_int8_without_its_kernel_is_multiplied_out(
    tiny: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on cards before compute capability 8.0."""

    def none(*_: object) -> Multiply | None:
        return None

    monkeypatch.setattr(form_choice, "choose_multiply", none)
    model = open_resident(tiny.spec, "cuda", Precision.INT8)
    found = model.embed_tokens(tiny.tokenizer.encode(TEXTS, Kind.DOCUMENT))
    assert cosines(found, tiny.embed(TEXTS, Kind.DOCUMENT)).min() >= 0.998
    assert "multiplied out" in model.notes[0]
    model.close()
