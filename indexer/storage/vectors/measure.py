"""Measures how much of an exact search's answer the codes find, and at what effort.

Queries are made of rows of the collection that the training never saw, each moved away from its row
by noise to a cosine of 0.7: about as far as questions lie from the passages that answer them
(medians of 0.70 and 0.68 on two judged sets). Rows themselves would be too easy: they lie in the
midst of their neighbours. On vectors where the truth is known, queries so made and real ones that
were held out find the same share to 0.005, where codes see whole rows; where they see a prefix, the
ones made so are the harder (docs/decisions/0015-the-vector-index.md).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.storage.vectors.certificate import DEPTHS, Certificate, Effort, Point
from indexer.storage.vectors.codes import Codes
from indexer.storage.vectors.efforts import (
    choose,
    fastest,
    fewest_lists,
    list_counts,
    near_the_target,
)
from indexer.storage.vectors.library import Floats, Ids, Mask, flat_view, selector, threads
from indexer.storage.vectors.mapped import MappedRows

QUERIES = 1_000  # the interval of the recall is then about 0.002 wide on either side
TIMED = 25  # queries timed one by one for each effort
QUERY_COSINE = 0.7  # of a query with the row that it was made of
_FACTORS = tuple(2**i for i in range(12))  # candidates by depth
# By depth: how many queries are asked, and how many candidates looked at. The thousand nearest of
# one query tell more than the ten nearest of another, and cost more to find.
_QUERIES = {DEPTHS[0]: QUERIES, DEPTHS[1]: QUERIES, DEPTHS[2]: QUERIES // 4}
_MOST_CANDIDATES = {DEPTHS[0]: 1_600, DEPTHS[1]: 1_600, DEPTHS[2]: 8_000}
_MORE_OF_A_PREFIX = 4  # times: it may rank badly, and still cost less than scoring all rows
_ASKED_AT_ONCE = 100  # queries: their candidates take 40 MB then
_NOTHING = 0.0005  # recall: more candidates that gain less than this are not worth their time
_TIE = 1e-6  # scores nearer than this are the same

OnStep = Callable[[float], None]  # share of the measuring that is done


@dataclass(frozen=True)
class Truth:
    """What an exact search answers, the row that a query was made of left out."""

    positions: Ids  # of those rows, shape (n,)
    queries: Floats  # shape (n, dimension)
    nearest: Ids  # positions of the nearest others, best first, shape (n, deepest)
    scores: Floats  # theirs
    ranks: Ids  # how many score better, which is the same for equals

    def first(self, count: int) -> "Truth":
        """Of the first queries only."""
        return Truth(
            self.positions[:count],
            self.queries[:count],
            self.nearest[:count],
            self.scores[:count],
            self.ranks[:count],
        )


def find_truth(rows: MappedRows, live: Mask, positions: Ids, thread_count: int) -> Truth:
    """Ask every live row for the nearest to a query made of each of `positions`."""
    covered = rows.rows[: len(live)]
    queries = moved_away(covered[positions].astype(np.float32))
    deepest = min(DEPTHS[-1] + 1, int(live.sum()))
    with threads(thread_count) as faiss:
        parameters = faiss.SearchParameters(sel=selector(live))
        scores, found = flat_view(covered).search(queries, deepest, params=parameters)
    others = found != positions[:, None]
    others[others.all(axis=1), -1] = False  # itself lost among its equals: drop any of those
    shape = (len(positions), deepest - 1)
    nearest, scores = found[others].reshape(shape), scores[others].reshape(shape)
    return Truth(positions, queries, nearest, scores, np.stack([_ranks(row) for row in scores]))


def moved_away(rows: Floats) -> Floats:
    """Queries at a cosine of about 0.7 with the rows, unit length, the same each time."""
    noise = np.random.default_rng(len(rows)).standard_normal(rows.shape, dtype=np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    made = QUERY_COSINE * rows + np.float32((1 - QUERY_COSINE**2) ** 0.5) * noise
    queries: Floats = made / np.linalg.norm(made, axis=1, keepdims=True)
    return queries


def _ranks(scores: Floats) -> Ids:
    """For descending scores: how many are better by more than a tie, shape as given."""
    ranks: Ids = np.searchsorted(-scores, -scores - _TIE, side="left").astype(np.int64)
    return ranks


def measure(
    codes: Codes, rows: MappedRows, live: Mask, truth: Truth, target: float, on_step: OnStep
) -> Certificate:
    """The cheapest efforts that reach the target, or the best there is."""
    trials = _Trials(codes, rows, truth, None if live.all() else selector(live), target)
    steps = list_counts(codes.lists)
    for number, lists in enumerate(steps):
        trials.scan(lists)
        on_step((number + 1) / len(steps))
        if trials.is_enough:
            break
    points = trials.points
    # The deeper ones are what filters ask for that leave a tenth and a hundredth.
    between = {lists for depth in DEPTHS for lists in near_the_target(points[depth], target)}
    for lists in sorted(between):
        trials.scan(lists)
    return Certificate(
        target=target,
        queries=len(truth.positions),
        rows=len(live),
        live=int(live.sum()),
        exact_ms_per_row=_exact_ms_per_row(rows, truth),
        chosen=tuple(choose(points[depth], target, fastest) for depth in DEPTHS),
        filtered=tuple(choose(points[depth], target, fewest_lists) for depth in DEPTHS),
        curve=tuple(sorted(points[DEPTHS[0]], key=lambda point: point.latency_ms)),
    )


class _Trials:
    """What was found, and how fast, with so many lists scanned."""

    def __init__(
        self, codes: Codes, rows: MappedRows, truth: Truth, chosen: Any, target: float
    ) -> None:
        self._codes, self._rows, self._chosen, self._target = codes, rows, chosen, target
        is_prefix = codes.dimension < rows.rows.shape[1]
        self._more = _MORE_OF_A_PREFIX if is_prefix else 1
        self._truths = {depth: truth.first(_QUERIES[depth]) for depth in DEPTHS}
        self.points: dict[int, list[Point]] = {depth: [] for depth in DEPTHS}

    @property
    def is_enough(self) -> bool:
        """Whether the last two counts surely reached the target at every depth."""
        last = [point for points in self.points.values() for point in points[-2:]]
        return len(last) == 2 * len(DEPTHS) and all(p.recall_low >= self._target for p in last)

    def scan(self, lists: int) -> None:
        """Add a point at every depth."""
        asked: dict[tuple[int, int], npt.NDArray[np.int32]] = {}
        for depth in DEPTHS:
            truth, most = self._truths[depth], _MOST_CANDIDATES[depth] * self._more
            key = len(truth.positions), most
            if key not in asked:
                asked[key] = _candidate_ranks(
                    self._codes, self._rows, truth, Effort(lists, most), self._chosen
                )
            numbers = [depth * factor for factor in _FACTORS if depth * factor <= most]
            here = min(depth, truth.nearest.shape[1])
            candidates, shares = _enough_candidates(asked[key], here, numbers, self._target)
            effort = Effort(lists, candidates)
            latency = _latency_ms(self._codes, self._rows, truth, depth, effort, self._chosen)
            self.points[depth].append(Point(depth, effort, *_with_low_end(shares), latency))


def _candidate_ranks(
    codes: Codes, rows: MappedRows, truth: Truth, effort: Effort, chosen: Any
) -> npt.NDArray[np.int32]:
    """True ranks of the candidates in the order of their codes, the query itself left out.

    Shape (n, candidates); beyond every depth for those that are not among the nearest.
    """
    wanted = min(effort.candidates + 1, codes.covered)
    beyond = len(rows.rows)
    ranks = np.full((len(truth.queries), wanted), beyond, np.int32)
    # One query's ranks at a time, by position: 4 bytes a row. To look each candidate up among the
    # sorted nearest took half of all measuring.
    rank_of = np.full(beyond, beyond, np.int32)
    for start in range(0, len(truth.queries), _ASKED_AT_ONCE):
        queries = truth.queries[start : start + _ASKED_AT_ONCE]
        positions = codes.nearest_codes(queries, wanted, effort.lists, chosen)
        for row, found in enumerate(positions, start):
            real = found[(found >= 0) & (found != truth.positions[row])]
            rank_of[truth.nearest[row]] = truth.ranks[row]
            ranks[row, : len(real)] = _with_ties(rank_of[real], real, rows, truth, row)
            rank_of[truth.nearest[row]] = beyond
    return ranks


def _with_ties(
    ranks: npt.NDArray[np.int32], found: Ids, rows: MappedRows, truth: Truth, row: int
) -> npt.NDArray[np.int32]:
    """The ranks, with equals of the last of the nearest, which may lie beyond the end, as good."""
    if truth.ranks[row, -1] == len(truth.nearest[row]) - 1:
        return ranks
    scores = rows.rows[found].astype(np.float32) @ truth.queries[row]
    tied = (scores >= truth.scores[row, -1] - _TIE) & (ranks == len(rows.rows))
    return np.where(tied, np.int32(truth.ranks[row, -1]), ranks)


def _enough_candidates(
    ranks: npt.NDArray[np.int32], depth: int, numbers: list[int], target: float
) -> tuple[int, Floats]:
    """(candidates, share of the `depth` true nearest that each query found with them).

    The fewest of `numbers` that reach the target, or of which more would gain nothing. A candidate
    as good as the last true neighbour counts as one: ties are no misses.
    """
    good = ranks < depth
    found = [np.minimum(good[:, :n].sum(axis=1), depth) / depth for n in numbers]
    best = max(float(shares.mean()) for shares in found)
    for candidates, shares in zip(numbers, found, strict=True):
        reached = _with_low_end(shares)[1] >= target
        if reached or shares.mean() >= best - _NOTHING:
            return candidates, shares
    raise AssertionError("the best is among them")


def _with_low_end(shares: Floats) -> tuple[float, float]:
    """(mean, lower end of its 95 % interval over the queries)."""
    mean = float(shares.mean())
    return mean, mean - 1.96 * float(shares.std()) / len(shares) ** 0.5


def _latency_ms(
    codes: Codes,
    rows: MappedRows,
    truth: Truth,
    depth: int,
    effort: Effort,
    chosen: Any,
) -> float:
    times = []
    for query in truth.queries[:TIMED]:
        started = time.perf_counter()
        codes.search(query[None], depth, effort, rows, chosen)
        times.append(time.perf_counter() - started)
    return float(np.median(times) * 1000)


def _exact_ms_per_row(rows: MappedRows, truth: Truth) -> float:
    exact = flat_view(rows.rows[:50_000])
    times = []
    with threads(1):
        for query in truth.queries[:9]:
            started = time.perf_counter()
            exact.search(query[None], 10)
            times.append(time.perf_counter() - started)
    return float(np.median(times) * 1000 / exact.ntotal)
