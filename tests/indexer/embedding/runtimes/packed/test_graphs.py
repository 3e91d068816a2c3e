"""Small batches filled up to a graph's size give the vectors they would give alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.runtimes.packed.batch import PackedBatch
from indexer.embedding.runtimes.packed.graphs import (
    CAPACITIES,
    SLOTS,
    Graphs,
    capacity_for,
    filled_up,
)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=8))
def test_filled_up_batch_is_exactly_the_graphs_size(lengths: list[int]) -> None:
    capacity = capacity_for(lengths)
    if capacity is None:
        assert len(lengths) >= SLOTS or sum(lengths) > CAPACITIES[-1] - SLOTS
        return
    batch = [[7] * length for length in lengths]
    full = filled_up(batch, capacity)
    assert full[: len(batch)] == batch
    assert len(full) == SLOTS
    assert sum(map(len, full)) == capacity
    assert all(full)


@pytest.mark.parametrize(("texts", "capacity"), [(1, 144), (2, 272), (4, 528)])
def test_texts_of_128_tokens_fit_closely(texts: int, capacity: int) -> None:
    assert capacity_for([128] * texts) == capacity


@pytest.mark.parametrize("lengths", [[1], [24], [27], [3, 20, 4], [128], [100, 1, 90, 5]])
def test_dummies_do_not_change_the_vectors(packed: LocalEmbedder, lengths: list[int]) -> None:
    batch = [[(i * 31 + j) % 290 for j in range(length)] for i, length in enumerate(lengths)]
    capacity = capacity_for(lengths)
    assert capacity is not None
    together = packed.runtime.forward(filled_up(batch, capacity))[: len(batch)]
    alone = np.concatenate([packed.runtime.forward([ids]) for ids in batch])
    assert np.abs(together - alone).max() <= 1e-5 * np.abs(alone).max()


def test_batch_beyond_every_graph_goes_without() -> None:
    def never(batch: PackedBatch) -> torch.Tensor:
        raise AssertionError("a graph was recorded")

    graphs = Graphs(never, "cpu")
    assert graphs.run([[1] * 1000]) is None
    assert graphs.run([[1]] * SLOTS) is None


def test_device_that_cannot_record_is_asked_once() -> None:
    asked = 0

    def failing(batch: PackedBatch) -> torch.Tensor:
        nonlocal asked
        asked += 1
        raise RuntimeError("operation not permitted when stream is capturing")

    graphs = Graphs(failing, "cpu")
    assert graphs.run([[1, 2]]) is None
    assert graphs.run([[1, 2]]) is None
    assert asked == 1
