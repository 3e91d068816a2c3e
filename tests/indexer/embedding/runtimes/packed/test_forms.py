"""A layer comes out of its form with the values it went in with, or within a rounding step."""

from collections.abc import Callable

import pytest
import torch

from indexer.embedding.qwen3_config import Qwen3Config
from indexer.embedding.runtimes.packed.checkpoint import Checkpoint
from indexer.embedding.runtimes.packed.forms import DirectForm, Form, MultipliedOutForm, PlainForm
from indexer.embedding.runtimes.packed.layout import MATRICES, LayerLayout, LayerWeights
from indexer.embedding.runtimes.packed.products import RoundedMatrix, multiply_int8
from indexer.embedding.runtimes.packed.rounding import (
    GROUP,
    Fp8Rows,
    Int4Groups,
    Int8Rows,
    Rounding,
)

Bound = Callable[[torch.Tensor], torch.Tensor]  # a matrix -> greatest error of each value


def filled(checkpoint: Checkpoint, dtype: torch.dtype) -> torch.Tensor:
    flat = torch.zeros(checkpoint.layout.size, dtype=dtype)
    checkpoint.fill(1, flat)
    return flat


def through(form: Form, flat: torch.Tensor) -> LayerWeights:
    buffer = torch.zeros(form.size_bytes, dtype=torch.uint8)
    form.pack(flat, buffer)
    return form.unpack(buffer)


def int8_step(matrix: torch.Tensor) -> torch.Tensor:
    return matrix.abs().amax(dim=1, keepdim=True) / 254


def fp8_step(matrix: torch.Tensor) -> torch.Tensor:
    """Half of the last of 3 bits; below 2^-6 of a scaled value, half of a subnormal's step."""
    scale = matrix.abs().amax(dim=1, keepdim=True) / 448
    return torch.maximum(matrix.abs() / 16, scale * 2**-10)


def int4_step(matrix: torch.Tensor) -> torch.Tensor:
    """Half a step, or what a smaller scale cuts off the largest value of a group."""
    groups = matrix.view(len(matrix), -1, GROUP)
    largest = groups.abs().amax(dim=2, keepdim=True)
    return (largest * 0.32).expand_as(groups).reshape(matrix.shape)


FORMATS: list[tuple[Rounding, Bound]] = [
    (Int8Rows(), int8_step),
    (Fp8Rows(), fp8_step),
    (Int4Groups(), int4_step),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_plain_layer_arrives_unchanged(checkpoint: Checkpoint, dtype: torch.dtype) -> None:
    form, flat = PlainForm(checkpoint.layout, dtype), filled(checkpoint, dtype)
    buffer = torch.zeros(form.size_bytes, dtype=torch.uint8)
    form.pack(flat, buffer)
    arrived = form.unpack(buffer)
    assert isinstance(arrived.gate_up, torch.Tensor)
    assert torch.equal(arrived.gate_up, checkpoint.layout.view(flat, "gate_up"))
    assert arrived.gate_up.data_ptr() >= buffer.data_ptr()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("rounding", "bound"), FORMATS)
def test_rounded_layer_is_within_a_step_of_its_own_row_or_group(
    checkpoint: Checkpoint, dtype: torch.dtype, rounding: Rounding, bound: Bound
) -> None:
    layout, flat = checkpoint.layout, filled(checkpoint, torch.float32)
    layout.view(flat, "down")[3] = 0  # a row without a largest value
    layout.view(flat, "down")[4, 0] = 50  # an outlier coarsens its own row or group only
    arrived = through(MultipliedOutForm(layout, dtype, rounding, "cpu"), flat)
    for name in layout.shapes:
        sent, found = layout.view(flat, name), getattr(arrived, name)
        if name not in MATRICES:
            assert torch.equal(sent.to(dtype), found)
            continue
        half = 0 if dtype is torch.float32 else sent.abs() / 128
        assert ((sent - found.float()).abs() <= bound(sent) * 1.01 + half).all(), name
        assert (found.float() - sent).norm() <= 0.12 * sent.norm()
    assert isinstance(arrived.down, torch.Tensor)
    assert not arrived.down[3].any()


def test_direct_layer_shares_the_bytes_of_one_multiplied_out(checkpoint: Checkpoint) -> None:
    layout, flat = checkpoint.layout, filled(checkpoint, torch.float32)
    direct = DirectForm(layout, torch.float32, Int8Rows(), multiply_int8)
    widened = MultipliedOutForm(layout, torch.float32, Int8Rows(), "cpu")
    assert direct.size_bytes == widened.size_bytes
    buffer = torch.zeros(direct.size_bytes, dtype=torch.uint8)
    direct.pack(flat, buffer)
    mine, theirs = direct.unpack(buffer), widened.unpack(buffer)
    for name in layout.shapes:
        found = getattr(mine, name)
        if isinstance(found, RoundedMatrix):
            found = found.values * found.scales
        assert torch.equal(found, getattr(theirs, name))


QWEN = Qwen3Config(28, 1024, 16, 8, 128, 3072, 1e-6, 1e6)  # Qwen3-Embedding-0.6B


@pytest.mark.parametrize(
    ("rounding", "bits"), [(Int8Rows(), 8.03), (Fp8Rows(), 8.03), (Int4Groups(), 4.5)]
)
def test_layer_takes_the_bytes_of_its_values_and_scales(rounding: Rounding, bits: float) -> None:
    layout = LayerLayout(QWEN)
    form = MultipliedOutForm(layout, torch.bfloat16, rounding, "meta")
    values = sum(layout.shapes[name][0] * layout.shapes[name][1] for name in MATRICES)
    assert form.size_bytes == pytest.approx(values * bits / 8, rel=0.002)
