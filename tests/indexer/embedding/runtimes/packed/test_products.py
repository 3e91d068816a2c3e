"""Products with rounded matrices: what multiplying out gives, one text at a time or many."""

from typing import Any

import pytest
import torch

from indexer.embedding.runtimes.packed import products
from indexer.embedding.runtimes.packed.products import (
    SLAB_TOKENS,
    Multiply,
    RoundedMatrix,
    add_product,
    is_right,
    multiply_fp8,
    multiply_fp8_widened,
    multiply_int8,
    product,
)
from indexer.embedding.runtimes.packed.rounding import FP8_LARGEST, round_rows

INT8: tuple[Multiply, torch.dtype, float] = (multiply_int8, torch.int8, 127.0)
FP8: tuple[Multiply, torch.dtype, float] = (multiply_fp8_widened, torch.float8_e4m3fn, FP8_LARGEST)
KINDS = [INT8, FP8]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def matrix_of(kind: tuple[Multiply, torch.dtype, float]) -> RoundedMatrix:
    values, scales = round_rows(random(48, 64, seed=1), kind[2], kind[1])
    return RoundedMatrix(values, scales, kind[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 16, 17, 40])
def test_product_is_that_of_the_rounded_numbers(
    kind: tuple[Multiply, torch.dtype, float], count: int
) -> None:
    states, matrix = random(count, 64), matrix_of(kind)
    values, sizes = round_rows(states, kind[2], kind[1])
    exact = (values.double() * sizes) @ (matrix.values.double() * matrix.scales).T
    assert torch.allclose(product(states, matrix).double(), exact, atol=1e-5)
    assert torch.allclose(product(states, matrix[8:24]).double(), exact[:, 8:24], atol=1e-5)


def test_int8_product_of_a_token_is_the_same_bits_among_any_others() -> None:
    matrix, states = matrix_of(INT8), random(3 * SLAB_TOKENS + 5, 64)
    together = product(states, matrix)
    for row in (0, SLAB_TOKENS - 1, SLAB_TOKENS, len(states) - 1):
        assert torch.equal(product(states[row : row + 1], matrix)[0], together[row])


@pytest.mark.parametrize("kind", KINDS)
def test_outlier_in_one_token_leaves_the_others_alone(
    kind: tuple[Multiply, torch.dtype, float],
) -> None:
    matrix, states = matrix_of(kind), random(20, 64)
    before = product(states, matrix)
    states[7, 3] = 1e4
    after = product(states, matrix)
    kept = [row for row in range(20) if row != 7]
    assert torch.allclose(after[kept], before[kept], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_sum_with_a_product_is_in_place(kind: tuple[Multiply, torch.dtype, float]) -> None:
    matrix, states, sums = matrix_of(kind), random(5, 64), random(5, 48, seed=2)
    expected = sums + product(states, matrix)
    place = sums.data_ptr()
    add_product(sums, states, matrix)
    assert torch.allclose(sums, expected, atol=1e-6)
    assert sums.data_ptr() == place


def test_fp8_kernel_of_the_processor_gives_what_widening_gives() -> None:
    values, scales = round_rows(random(48, 64, seed=1), FP8_LARGEST, torch.float8_e4m3fn)
    states = random(33, 64).bfloat16()
    found = multiply_fp8(states, values, scales).float()
    expected = multiply_fp8_widened(states, values, scales).float()
    assert (found - expected).abs().max() <= 2**-7 * expected.abs().max()


@pytest.mark.parametrize("kind", KINDS)
def test_right_way_to_multiply_is_found_right(kind: tuple[Multiply, torch.dtype, float]) -> None:
    assert is_right(kind[0], "cpu", kind[1], kind[2])


def no_kernel(states: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("_int_mm: CUDA error: CUBLAS_STATUS_NOT_SUPPORTED")


def scales_lost(states: torch.Tensor, values: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return multiply_int8(states, values, torch.ones(len(values), 1))


def padding_kept(states: torch.Tensor, *rest: Any) -> torch.Tensor:
    return multiply_int8(torch.nn.functional.pad(states, (0, 0, 0, 3)), *rest)


def not_a_number(states: torch.Tensor, *rest: Any) -> torch.Tensor:
    return multiply_int8(states, *rest) * float("nan")


@pytest.mark.parametrize("wrong", [no_kernel, scales_lost, padding_kept, not_a_number])
def test_way_that_fails_or_lies_is_not_used(wrong: Multiply) -> None:
    assert not is_right(wrong, "cpu", torch.int8, 127.0)


class Cuda:
    """Stands in for torch.cuda, with a card of some capability."""

    def __init__(self, capability: tuple[int, int]) -> None:
        self.capability = capability

    def get_device_capability(self, device: str) -> tuple[int, int]:
        return self.capability


@pytest.mark.parametrize(
    ("capability", "right", "int8", "fp8"),
    [
        ((7, 5), True, False, False),
        ((8, 0), True, True, False),
        ((8, 9), True, True, True),
        ((9, 0), False, False, False),  # its kernels exist and give nonsense
    ],
)
def test_kernels_are_taken_by_capability_and_after_they_proved_right(
    monkeypatch: pytest.MonkeyPatch,
    capability: tuple[int, int],
    right: bool,
    int8: bool,
    fp8: bool,
) -> None:
    monkeypatch.setattr(torch, "cuda", Cuda(capability))
    monkeypatch.setattr(products, "is_right", lambda *_: right)
    found = products.choose_multiply(products.Precision.INT8, "cuda:0")
    assert found is (multiply_int8 if int8 else None)
    found = products.choose_multiply(products.Precision.FP8, "cuda:0")
    assert found is (multiply_fp8 if fp8 else None)
