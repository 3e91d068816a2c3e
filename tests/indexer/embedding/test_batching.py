"""Batches of similar lengths: what goes together, and that nothing is lost."""

import hypothesis.strategies as st
from hypothesis import given

from indexer.embedding.batching import by_length, padded_batch_size


@given(lengths=st.lists(st.integers(0, 600), min_size=1, max_size=60), budget=st.integers(1, 2000))
def test_padded_size_stays_within_the_budget_and_no_more_would_fit(
    lengths: list[int], budget: int
) -> None:
    ahead = sorted(lengths, reverse=True)
    size = padded_batch_size(ahead, budget)
    longest = max(1, ahead[0])
    assert 1 <= size <= len(ahead)
    assert size == 1 or longest * size <= budget
    assert size == len(ahead) or longest * (size + 1) > budget


def test_order_is_longest_first_and_stable() -> None:
    assert by_length([3, 9, 3, 1, 9]) == [1, 4, 0, 2, 3]


def test_text_over_the_budget_goes_alone() -> None:
    assert padded_batch_size([500, 3, 3], 100) == 1


def test_empty_sequences_count_as_one_token() -> None:
    assert padded_batch_size([0] * 10, 4) == 4
