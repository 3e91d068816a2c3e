"""Out of memory halves the batch; the answers and their order stay the same."""

import numpy as np
import pytest

from indexer.embedding.runtimes.base import Runtime, TokenBatch
from indexer.errors import PlacementError
from indexer.modes import Placement, Precision
from indexer.types import Vectors


class Counting(Runtime):
    """A vector is (first id, length); fails on batches above `capacity` padded tokens."""

    placement = Placement.CPU
    precision = Precision.FP32
    hidden_size = 2

    def __init__(self, capacity: int = 10**9) -> None:
        self.capacity = capacity
        self.max_batch_tokens = 1000
        self.sizes: list[int] = []
        self.released = 0

    def forward(self, batch: TokenBatch) -> Vectors:
        assert all(batch)
        self.sizes.append(len(batch))
        if len(batch) * max(map(len, batch)) > self.capacity:
            raise MemoryError
        return np.array([[ids[0], len(ids)] for ids in batch], dtype=np.float32)

    def release_memory(self) -> None:
        self.released += 1


def batch_of(n: int, length: int = 4) -> list[list[int]]:
    return [[i + 1] * length for i in range(n)]


def test_enough_memory_is_one_forward_pass() -> None:
    runtime = Counting()
    assert runtime.embed_tokens(batch_of(3)).tolist() == [[1, 4], [2, 4], [3, 4]]
    assert runtime.sizes == [3]


@pytest.mark.parametrize("capacity", [4, 8, 12, 20, 39])
def test_out_of_memory_halves_until_it_fits_and_keeps_the_order(capacity: int) -> None:
    runtime = Counting(capacity)
    assert runtime.embed_tokens(batch_of(10))[:, 0].tolist() == list(range(1, 11))
    assert runtime.released > 0


def test_out_of_memory_lowers_the_budget_for_later_batches() -> None:
    runtime = Counting(capacity=20)
    runtime.embed_tokens(batch_of(8))
    assert runtime.sizes == [8, 4, 4]
    assert runtime.max_batch_tokens == 16


def test_single_text_that_does_not_fit_is_named_by_its_length() -> None:
    with pytest.raises(PlacementError, match="one text of 50 tokens on cpu in fp32"):
        Counting(capacity=40).embed_tokens([[7] * 50])


def test_other_errors_are_not_swallowed() -> None:
    class Broken(Counting):
        def forward(self, batch: TokenBatch) -> Vectors:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Broken().embed_tokens(batch_of(4))


def test_text_without_tokens_is_a_zero_vector() -> None:
    assert Counting().embed_tokens([[], [9], []]).tolist() == [[0, 0], [9, 1], [0, 0]]


def test_no_texts_are_no_vectors() -> None:
    assert Counting().embed_tokens([]).shape == (0, 2)
