"""How many candidates a reranker judges, by number or within a time, and their order afterwards."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.reranking.base import Reranker

DEPTH = 20  # candidates judged where neither a budget nor a setting says
# Of the budget that is planned for; the rest is for what a measured speed cannot foretell.
_PLANNED_SHARE = 0.9
# Share of the latest measurement in the pace: a few slow moments are noticed, one is no rule.
_LATEST_SHARE = 0.3
# A pace that forbids every candidate is never measured again, so it is doubted a little each time.
_DOUBT = 0.95
# Judged at once; of more, half at a time, so that a slow moment shows before the budget is spent.
_AT_ONCE = 4
# What the pace is measured with at first: passages of the length that chunks often have.
_SAMPLE_QUERY = "how the tower clock is wound"
_SAMPLE = (
    "The clock in the tower of the town hall is wound by hand every Monday. A keeper climbs two "
    "hundred steps, turns the crank forty times and sets the hands by the church's bell. "
) * 3


def depth_within(budget_s: float, costs: Iterable[int], tokens_per_s: float) -> int:
    """How many of the leading candidates can be judged within a time.

    Args:
        budget_s: the time.
        costs: tokens of each candidate, best first.
        tokens_per_s: of the reranker.
    """
    room = budget_s * tokens_per_s
    depth = 0
    for cost in costs:
        room -= cost
        if room < 0:
            break
        depth += 1
    return depth


class Pace:
    """How fast a reranker has been lately. Threads may share it."""

    def __init__(self) -> None:
        self._token_s: float | None = None
        self._lock = threading.Lock()

    @property
    def tokens_per_s(self) -> float | None:
        """None: never measured."""
        return None if self._token_s is None else 1 / self._token_s

    def learn(self, tokens: int, seconds: float) -> None:
        """Take in a measurement of so many tokens."""
        if tokens < 1 or seconds <= 0:
            return
        latest = seconds / tokens
        with self._lock:
            known = latest if self._token_s is None else self._token_s
            self._token_s = _LATEST_SHARE * latest + (1 - _LATEST_SHARE) * known

    def depth(self, budget_s: float, costs: Sequence[int]) -> int:
        """`depth_within` at this pace; 0 while it is not known."""
        rate = self.tokens_per_s
        return 0 if rate is None else depth_within(budget_s, costs, rate)

    def doubt(self) -> None:
        """Believe in a little more speed: nothing was judged, so nothing was measured."""
        with self._lock:
            if self._token_s is not None:
                self._token_s *= _DOUBT


@dataclass(frozen=True, slots=True)
class Reranked:
    """Candidates in their new order, and how many of them were judged."""

    order: tuple[int, ...]  # places of the candidates: judged ones by score, the rest behind them
    scores: tuple[float | None, ...]  # by place; None for those that were not judged
    reranker: str
    budget_s: float | None
    took_s: float

    @property
    def judged(self) -> int:
        """How many candidates have a score."""
        return sum(score is not None for score in self.scores)

    @property
    def skipped(self) -> int:
        """How many stay where they were, behind the others."""
        return len(self.scores) - self.judged

    def __str__(self) -> str:
        budget = "" if self.budget_s is None else f", budget {self.budget_s * 1000:.0f} ms"
        return f"reranked: {self.judged} of {len(self.scores)}{budget}"

    def to_dict(self) -> dict[str, Any]:
        """The public JSON shape."""
        return {
            "reranker": self.reranker,
            "reranked": self.judged,
            "candidates": len(self.scores),
            "skipped": self.skipped,
            "budget_ms": None if self.budget_s is None else round(self.budget_s * 1000, 3),
            "took_ms": round(self.took_s * 1000, 3),
        }


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What became of a wish to rerank: its result, or why there is none."""

    result: Reranked | None
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON shape."""
        nothing = {"reranker": None, "reranked": 0, "candidates": 0, "skipped": 0}
        found = nothing if self.result is None else self.result.to_dict()
        return {"budget_ms": None, "took_ms": 0.0, **found, "reason": self.reason}


class Reranking:
    """A reranker and its measured pace. Threads may share it."""

    def __init__(
        self,
        reranker: Reranker,
        depth: int = DEPTH,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Measure nothing yet.

        Args:
            reranker: what judges.
            depth: candidates judged where a question brings no budget.
            clock: seconds; another one for tests.
        """
        self.reranker = reranker
        self.pace = Pace()
        self._depth = depth
        self._clock = clock

    @property
    def depth(self) -> int:
        """Candidates judged where a question brings no budget."""
        return self._depth

    def measure(self) -> None:
        """Learn the pace, on passages of our own, after a short one that only warms up.

        Raises:
            ModelError, PlacementError: the reranker does not work.
        """
        texts = [_SAMPLE, _SAMPLE.upper()]
        self.reranker.scores(_SAMPLE_QUERY, texts[:1])
        costs = self.reranker.costs(_SAMPLE_QUERY, texts)
        self._timed(_SAMPLE_QUERY, texts, None, costs)

    def rerank(
        self,
        query: str,
        texts: Sequence[str],
        instruction: str | None = None,
        budget_s: float | None = None,
    ) -> Reranked:
        """The candidates in a better order.

        Args:
            query: the question.
            texts: the candidates' passages, best first.
            instruction: the task; left out for rerankers that take none.
            budget_s: judge as many as this time allows, none if it allows none; None: as many as
                the settings say. What is under way when it ends is finished.

        Raises:
            UsageError: an instruction that cannot be taken.
            ModelError, PlacementError: the reranker gives nothing, or is out of reach; the order
                before is still good.
        """
        if not self.reranker.takes_instruction:
            instruction = None
        if budget_s is not None and self.pace.tokens_per_s is None:
            self.measure()  # the first question waits for it, beside its budget
        started = self._clock()
        scores: list[float | None] = [None] * len(texts)
        if budget_s is None:
            judged = texts[: self._depth]
            costs = self.reranker.costs(query, judged, instruction)
            scores[: len(judged)] = self._timed(query, judged, instruction, costs)
        else:
            until = started + budget_s * _PLANNED_SHARE
            found = self._within(until, query, texts, instruction)
            scores[: len(found)] = found
        places = range(len(texts))
        order = sorted(places, key=lambda place: _rank(scores[place], place))
        took_s = self._clock() - started
        return Reranked(tuple(order), tuple(scores), self.reranker.name, budget_s, took_s)

    def _within(
        self, until: float, query: str, texts: Sequence[str], instruction: str | None
    ) -> list[float]:
        """Scores of as many leading texts as the time allows."""
        costs = self.reranker.costs(query, texts, instruction)
        found: list[float] = []
        while len(found) < len(texts):
            left_s = until - self._clock()
            depth = self.pace.depth(left_s, costs[len(found) :])
            if depth == 0:
                break
            end = len(found) + (depth if depth <= _AT_ONCE else (depth + 1) // 2)
            part = slice(len(found), end)
            found += self._timed(query, texts[part], instruction, costs[part])
        if texts and not found:
            self.pace.doubt()
        return found

    def _timed(
        self, query: str, texts: Sequence[str], instruction: str | None, costs: Sequence[int]
    ) -> list[float]:
        """Scores of the texts, the pace learnt from them."""
        if not texts:
            return []
        started = self._clock()
        scores = self.reranker.scores(query, texts, instruction)
        self.pace.learn(sum(costs), self._clock() - started)
        return [float(score) for score in scores]

    def close(self) -> None:
        """Free the reranker."""
        self.reranker.close()


def _rank(score: float | None, place: int) -> tuple[bool, float, int]:
    """Judged candidates first, by score; ties and the rest in the order before."""
    return score is None, -(score or 0.0), place
