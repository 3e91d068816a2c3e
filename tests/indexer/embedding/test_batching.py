from hypothesis import given
from hypothesis import strategies as st

from indexer.embedding.batching import by_length, plan_batches

LENGTHS = st.lists(st.integers(0, 600), max_size=200)


def test_batches_are_longest_first_and_within_the_budget() -> None:
    assert plan_batches([5, 100, 7, 98, 6], max_tokens=200) == [[1, 3], [2, 4, 0]]


def test_text_longer_than_the_budget_goes_alone() -> None:
    assert plan_batches([10, 5000, 10], max_tokens=100) == [[1], [0, 2]]


def test_no_texts_are_no_batches() -> None:
    assert plan_batches([], max_tokens=100) == []


@given(LENGTHS, st.integers(1, 4096))
def test_every_text_is_in_one_batch_and_no_batch_of_several_is_over_budget(
    lengths: list[int], budget: int
) -> None:
    batches = plan_batches(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[index] for index in batch)
        assert padded <= budget or len(batch) == 1


@given(LENGTHS)
def test_order_is_by_length_with_ties_in_input_order(lengths: list[int]) -> None:
    order = by_length(lengths)
    assert order == sorted(order, key=lambda index: (-lengths[index], index))
