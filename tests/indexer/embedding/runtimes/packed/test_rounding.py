"""Numbers in 8 and 4 bits: packed bytes come apart again, no value is off by more than a step."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from indexer.embedding.runtimes.packed.rounding import (
    FP8_LARGEST,
    GROUP,
    Int4Groups,
    pack_nibbles,
    round_rows,
    unpack_nibbles,
)

shapes = st.tuples(st.integers(1, 6), st.integers(1, 5))  # rows, groups


@given(st.data(), shapes)
def test_nibbles_come_apart_as_they_went_together(
    data: st.DataObject, shape: tuple[int, int]
) -> None:
    rows, columns = shape[0], shape[1] * GROUP
    drawn = st.lists(st.integers(-8, 7), min_size=rows * columns, max_size=rows * columns)
    values = torch.tensor(data.draw(drawn), dtype=torch.int8).view(rows, columns)
    packed = pack_nibbles(values)
    assert packed.dtype is torch.uint8
    assert packed.shape == (rows, columns // 2)
    assert torch.equal(unpack_nibbles(packed), values)


@given(st.binary(min_size=GROUP // 2, max_size=GROUP // 2))
def test_every_byte_is_two_values(content: bytes) -> None:
    packed = torch.frombuffer(bytearray(content), dtype=torch.uint8).view(1, -1)
    values = unpack_nibbles(packed)
    assert torch.equal(pack_nibbles(values), packed)
    half = GROUP // 2
    assert [int(v) + 8 for v in values[0, :half]] == [byte & 15 for byte in content]
    assert [int(v) + 8 for v in values[0, half:]] == [byte >> 4 for byte in content]


@given(st.integers(0, 2**31), shapes, st.floats(-12, 12))
def test_int4_error_stays_below_that_of_the_plain_scale(
    seed: int, shape: tuple[int, int], power: float
) -> None:
    """Trying smaller scales may only help, at any size of the weights."""
    draw = torch.Generator().manual_seed(seed)
    matrix = torch.randn((shape[0], shape[1] * GROUP), generator=draw) * 10**power
    rounding = Int4Groups()
    buffer = torch.zeros(rounding.size_bytes(*matrix.shape), dtype=torch.uint8)
    target = rounding.view(buffer, *matrix.shape)
    rounding.round(matrix, target)
    found = torch.empty_like(matrix)
    rounding.multiply_out(target, found)
    groups, errors = (m.view(len(m), -1, GROUP) for m in (matrix, found - matrix))
    step = groups.abs().amax(dim=2) / 8
    # Half a step for each value, or a whole one for the value that 7 stands in for.
    assert (errors.square().sum(dim=2) <= (step**2) * (GROUP / 4 + 1) * 1.02).all()


@given(st.integers(0, 2**31), st.floats(-20, 20))
def test_rows_keep_their_largest_value_at_any_size(seed: int, power: float) -> None:
    matrix = torch.randn((5, 40), generator=torch.Generator().manual_seed(seed)) * 10**power
    for kind, largest in ((torch.int8, 127.0), (torch.float8_e4m3fn, FP8_LARGEST)):
        values, scales = round_rows(matrix, largest, kind)
        found = values.float() * scales
        place = matrix.abs().argmax(dim=1, keepdim=True)
        assert torch.allclose(found.gather(1, place), matrix.gather(1, place), rtol=1e-5)


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
def test_row_that_is_not_finite_stays_so_and_alone(broken: float) -> None:
    """Half precision overflows on some texts: they must be seen, to be repeated in fp32."""
    matrix = torch.ones((3, 8))
    matrix[1, 2] = broken
    values, scales = round_rows(matrix, 127, torch.int8)
    products = (values.int() @ torch.ones((8, 2), dtype=torch.int32)) * scales
    assert not products[1].isfinite().any()
    assert torch.allclose(products[0::2], torch.full((2, 2), 8.0))


def test_row_of_zeros_is_zeros() -> None:
    for kind in (torch.int8, torch.float8_e4m3fn):
        values, scales = round_rows(torch.zeros(2, 8), 127, kind)
        assert not (values.float() * scales).any()
