"""How runs are shared among rounds, and what is embedded in them."""

import json

import pytest

from app.evaluation.rounds import BATCHES, WARMUP, Budget, Round, rounds_of
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import load_tokenizer


@pytest.mark.parametrize(
    ("runs", "shares", "least"),
    [
        (100, [20, 20, 20, 20, 20], [2, 2, 2, 2, 2]),
        (12, [3, 3, 2, 2, 2], [2, 2, 2, 2, 2]),
        (7, [2, 2, 1, 1, 1], [2, 2, 1, 1, 1]),
        (2, [1, 1], [1, 1]),
    ],
)
def test_budget_shares_all_runs_among_rounds_and_ten_at_least(
    runs: int, shares: list[int], least: list[int]
) -> None:
    budget = Budget(runs)
    rounds = range(budget.rounds)
    assert [budget.runs_of(number) for number in rounds] == shares
    assert [budget.least_of(number) for number in rounds] == least


def test_rounds_have_texts_of_128_tokens_of_which_none_comes_twice(minilm_spec: ModelSpec) -> None:
    tokenizer = load_tokenizer(minilm_spec)
    rounds = rounds_of(tokenizer, Budget(12, 30))
    texts = []
    for number, work in enumerate(rounds):
        for batch, calls in zip(BATCHES, work.cells, strict=True):
            assert [len(call) for call in calls] == [batch] * (WARMUP + Budget(12).runs_of(number))
            texts += [text for call in calls for text in call]
    assert len(set(texts)) == len(texts) == (12 + 5 * WARMUP) * 5
    assert set(tokenizer.count(texts)) == {128} == {work.tokens for work in rounds}
    assert [work.least for work in rounds] == [2] * 5
    assert [work.seconds for work in rounds] == [6.0] * 5
    assert tokenizer.count(list(rounds[0].check)) == [12, 40, 90, 128]
    sent = json.dumps(rounds[0].to_dict())
    assert json.dumps(Round.from_dict(json.loads(sent)).to_dict()) == sent
