"""How deep a reranker goes within a time, on a clock of our own."""

from collections.abc import Sequence

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from app.search.rerank import Pace, Reranking, depth_within
from indexer.errors import PlacementError
from indexer.reranking.base import Reranker, Scores


class FakeReranker(Reranker):
    """Scores are numbers at the texts' ends; each token takes its time on the fake clock."""

    takes_instruction = True
    max_tokens = 100

    def __init__(self, token_s: float = 0.001) -> None:
        self.token_s = token_s
        self.now = 0.0
        self.asked: list[list[str]] = []
        self.instructions: list[str | None] = []
        self.error: Exception | None = None

    @property
    def name(self) -> str:
        return "fake"

    def scores(self, query: str, texts: Sequence[str], instruction: str | None = None) -> Scores:
        if self.error is not None:
            raise self.error
        self.asked.append(list(texts))
        self.instructions.append(instruction)
        self.now += self.token_s * sum(self.token_counts(query, texts))
        return np.array([float(t.split()[-1]) if t[-1].isdigit() else 0 for t in texts])

    def logits(self, query: str, texts: Sequence[str], instruction: str | None = None) -> Scores:
        return self.scores(query, texts, instruction)

    def token_counts(
        self, query: str, texts: Sequence[str], instruction: str | None = None
    ) -> list[int]:
        return [len(text.split()) for text in texts]

    def close(self) -> None:
        self.asked.clear()


def texts_of(count: int, words: int = 10) -> list[str]:
    """The later, the better; ten tokens each."""
    return [f"{'word ' * (words - 1)}{place}" for place in range(count)]


def reranking_of(fake: FakeReranker, depth: int = 20) -> Reranking:
    return Reranking(fake, depth, clock=lambda: fake.now)


def judged(fake: FakeReranker) -> int:
    """How many of the candidates, not of the sample, went through the reranker."""
    return sum(len(texts) for texts in fake.asked if texts[0].startswith("word"))


def test_without_a_budget_the_settings_depth_is_judged() -> None:
    fake = FakeReranker()
    found = reranking_of(fake, depth=3).rerank("q", texts_of(5))
    assert found.order == (2, 1, 0, 3, 4)
    assert found.scores == (0.0, 1.0, 2.0, None, None)
    assert (found.judged, found.skipped) == (3, 2)
    assert str(found) == "reranked: 3 of 5"
    assert found.to_dict() == {
        "reranker": "fake",
        "reranked": 3,
        "candidates": 5,
        "skipped": 2,
        "budget_ms": None,
        "took_ms": 30.0,
    }


def test_budget_decides_by_the_measured_speed() -> None:
    fake = FakeReranker(token_s=0.001)  # ten tokens: 10 ms a candidate
    reranking = reranking_of(fake)
    reranking.measure()
    fake.asked.clear()
    found = reranking.rerank("q", texts_of(40), budget_s=0.205)
    assert found.judged == judged(fake) == 18  # nine tenths of 205 ms
    assert found.order[:2] == (17, 16)
    assert found.order[18:] == tuple(range(18, 40))
    assert str(found) == "reranked: 18 of 40, budget 205 ms"
    assert found.took_s == pytest.approx(0.18)
    # All that there is, however much time is left.
    assert reranking.rerank("q", texts_of(5), budget_s=10).judged == 5


def test_speed_that_falls_is_noticed_before_the_budget_is_spent() -> None:
    fake = FakeReranker(token_s=0.001)
    reranking = reranking_of(fake)
    reranking.measure()
    fake.token_s = 0.003
    found = reranking.rerank("q", texts_of(40), budget_s=0.2)
    assert 3 <= found.judged < 18
    assert found.took_s < 0.4  # 18 candidates would have taken 540 ms
    for _ in range(10):
        found = reranking.rerank("q", texts_of(40), budget_s=0.2)
    assert found.judged == 6
    assert found.took_s <= 0.2


def test_first_question_with_a_budget_measures_first() -> None:
    fake = FakeReranker()
    found = reranking_of(fake).rerank("q", texts_of(3), budget_s=60)
    assert found.judged == 3
    assert fake.asked[0] != fake.asked[-1]


def test_budget_too_short_for_one_judges_none_and_doubts_its_pace() -> None:
    fake = FakeReranker(token_s=1.0)
    reranking = reranking_of(fake)
    reranking.measure()
    fake.asked.clear()
    found = reranking.rerank("q", texts_of(3), budget_s=0.05)
    assert (found.judged, found.order, fake.asked) == (0, (0, 1, 2), [])
    assert str(found) == "reranked: 0 of 3, budget 50 ms"
    # The machine was busy when it was measured: after a while one is tried, and the pace is learnt.
    fake.token_s = 0.001
    counts = [reranking.rerank("q", texts_of(3), budget_s=0.05).judged for _ in range(200)]
    assert counts[-1] == 3


def test_ties_keep_the_order_before() -> None:
    fake = FakeReranker()
    found = reranking_of(fake).rerank("q", ["word 1", "other 2", "third 1", "last 2"])
    assert found.order == (1, 3, 0, 2)


def test_no_candidates() -> None:
    for budget_s in (None, 0.2):
        found = reranking_of(FakeReranker()).rerank("q", [], budget_s=budget_s)
        assert (found.order, found.judged) == ((), 0)


def test_instruction_goes_to_those_who_take_one() -> None:
    fake = FakeReranker()
    reranking_of(fake).rerank("q", texts_of(1), "Find it")
    fake.takes_instruction = False
    reranking_of(fake).rerank("q", texts_of(1), "Find it")
    assert fake.instructions == ["Find it", None]


def test_failure_comes_through() -> None:
    fake = FakeReranker()
    fake.error = PlacementError("Reranker http://x: out of reach.")
    with pytest.raises(PlacementError, match="out of reach"):
        reranking_of(fake).rerank("q", texts_of(2))


@given(
    budget_s=st.floats(0, 10),
    costs=st.lists(st.integers(0, 9000), max_size=60),
    tokens_per_s=st.floats(1, 1e6),
)
def test_depth_is_the_most_that_fits(
    budget_s: float, costs: list[int], tokens_per_s: float
) -> None:
    depth = depth_within(budget_s, costs, tokens_per_s)
    room = budget_s * tokens_per_s
    assert 0 <= depth <= len(costs)
    assert sum(costs[:depth]) <= room + 1e-6
    assert depth == len(costs) or sum(costs[: depth + 1]) > room - 1e-6


def test_pace_follows_what_is_measured_and_nothing_else() -> None:
    pace = Pace()
    assert pace.tokens_per_s is None
    pace.learn(0, 1.0)
    pace.learn(10, 0.0)
    pace.doubt()
    assert pace.tokens_per_s is None
    pace.learn(100, 1.0)
    assert pace.tokens_per_s == pytest.approx(100)
    for _ in range(30):
        pace.learn(100, 2.0)
    assert pace.tokens_per_s == pytest.approx(50, rel=0.01)
