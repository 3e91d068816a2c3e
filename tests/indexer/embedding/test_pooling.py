import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from indexer.embedding.pooling import finish, non_finite_rows, pool
from indexer.types import Pooling

NAN = float("nan")


@pytest.mark.parametrize(
    ("how", "expected"), [(Pooling.CLS, 1.0), (Pooling.LAST_TOKEN, 3.0), (Pooling.MEAN, 2.0)]
)
@pytest.mark.parametrize(("left", "right"), [(0, 0), (2, 0), (0, 2)])
def test_pool_is_right_for_left_right_and_no_padding(
    how: Pooling, expected: float, left: int, right: int
) -> None:
    """The padding holds NaN, which must not leak into the result."""
    states = torch.tensor([[NAN] * left + [1.0, 2.0, 3.0] + [NAN] * right]).unsqueeze(-1)
    mask = torch.tensor([[0] * left + [1, 1, 1] + [0] * right])
    assert pool(states, mask, how).tolist() == [[expected]]


@pytest.mark.parametrize("how", list(Pooling))
def test_pool_of_a_row_without_tokens_is_zero(how: Pooling) -> None:
    states, mask = torch.full((1, 4, 2), 7.0), torch.zeros(1, 4, dtype=torch.int64)
    assert pool(states, mask, how).tolist() == [[0.0, 0.0]]


def test_pool_mean_of_half_precision_adds_up_in_fp32() -> None:
    states = torch.full((1, 5000, 1), 20.0, dtype=torch.float16)  # the sum is above 65504
    mask = torch.ones(1, 5000, dtype=torch.int64)
    assert pool(states, mask, Pooling.MEAN).tolist() == [[20.0]]


def test_finish_cuts_before_it_scales() -> None:
    vectors = np.array([[3.0, 4.0, 12.0]], dtype=np.float32)
    np.testing.assert_allclose(finish(vectors, 2), [[0.6, 0.8]], atol=1e-7)


def test_finish_keeps_zero_rows_and_survives_huge_values() -> None:
    vectors = np.array([[0.0, 0.0], [3e30, 4e30]], dtype=np.float32)
    np.testing.assert_allclose(finish(vectors, 2), [[0, 0], [0.6, 0.8]], atol=1e-6)


@given(st.integers(1, 64), st.integers(0, 2**32 - 1))
def test_finish_gives_unit_float32_of_the_dimension(dimension: int, seed: int) -> None:
    pooled = np.random.default_rng(seed).normal(size=(5, 64)).astype(np.float32)
    unit = finish(pooled, dimension)
    assert unit.dtype == np.float32
    assert unit.shape == (5, dimension)
    np.testing.assert_allclose(np.linalg.norm(unit.astype(np.float64), axis=1), 1, atol=1e-6)


def test_non_finite_rows_finds_nan_and_infinity() -> None:
    pooled = np.array([[0, 1], [np.nan, 0], [0, 0], [0, -np.inf]], dtype=np.float32)
    assert non_finite_rows(pooled).tolist() == [1, 3]
