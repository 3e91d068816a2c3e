"""A layer arrives with the values it was sent with, or within half a step of int8."""

import pytest
import torch

from indexer.embedding.runtimes.packed.checkpoint import Checkpoint
from indexer.embedding.runtimes.packed.forms import Int8Form, PlainForm
from indexer.embedding.runtimes.packed.layout import MATRICES


def filled(checkpoint: Checkpoint, dtype: torch.dtype) -> torch.Tensor:
    flat = torch.zeros(checkpoint.layout.size, dtype=dtype)
    checkpoint.fill(1, flat)
    return flat


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_plain_layer_arrives_unchanged(checkpoint: Checkpoint, dtype: torch.dtype) -> None:
    form, flat = PlainForm(checkpoint.layout, dtype), filled(checkpoint, dtype)
    buffer = torch.zeros(form.size_bytes, dtype=torch.uint8)
    form.pack(flat, buffer)
    arrived = form.unpack(buffer)
    assert torch.equal(arrived.gate_up, checkpoint.layout.view(flat, "gate_up"))
    assert arrived.gate_up.data_ptr() >= buffer.data_ptr()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_int8_layer_is_within_half_a_step_of_each_row(
    checkpoint: Checkpoint, dtype: torch.dtype
) -> None:
    layout, flat = checkpoint.layout, filled(checkpoint, dtype)
    layout.view(flat, "down")[3] = 0  # a row without a largest value
    layout.view(flat, "down")[4, 0] = 50  # an outlier coarsens its own row only
    form = Int8Form(layout, dtype, "cpu")
    buffer = torch.zeros(form.size_bytes, dtype=torch.uint8)
    form.pack(flat, buffer)
    arrived = form.unpack(buffer)
    for name in layout.shapes:
        sent, found = layout.view(flat, name).float(), getattr(arrived, name).float()
        if name not in MATRICES:
            assert torch.equal(sent, found)
            continue
        step = sent.abs().amax(dim=1, keepdim=True) / 127
        rounding = 0 if dtype is torch.float32 else sent.abs() / 256
        assert ((sent - found).abs() <= step / 2 * 1.001 + rounding).all()
    assert not arrived.down[3].any()


def test_int8_layer_takes_half_the_bytes_of_bfloat16(checkpoint: Checkpoint) -> None:
    plain = PlainForm(checkpoint.layout, torch.bfloat16)
    small = Int8Form(checkpoint.layout, torch.bfloat16, "cpu")
    assert small.size_bytes < 0.6 * plain.size_bytes  # rows of 64: scales weigh more than usual


def test_layer_that_stays_has_the_values_of_one_that_travels(checkpoint: Checkpoint) -> None:
    """Else vectors would depend on how many layers there was room for."""
    form, flat = (
        Int8Form(checkpoint.layout, torch.bfloat16, "cpu"),
        filled(checkpoint, torch.bfloat16),
    )
    buffer = torch.zeros(form.size_bytes, dtype=torch.uint8)
    form.pack(flat, buffer)
    arrived = form.unpack(buffer)
    form.settle(flat)
    for name in checkpoint.layout.shapes:
        assert torch.equal(checkpoint.layout.view(flat, name), getattr(arrived, name))
