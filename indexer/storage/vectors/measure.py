"""Measures how much of an exact search's answer the codes find, and at what effort.

Queries are rows of the collection itself that the training never saw; a query is not counted as its
own hit. Only passages are asked this way: a user's question lies farther from its answers than they
from one another, so what is chosen has to leave half of the misses that the target allows
(docs/decisions/0016-the-vector-index.md shows what questions then find).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from indexer.storage.vectors.certificate import DEPTHS, Certificate, Effort, Point
from indexer.storage.vectors.codes import Codes
from indexer.storage.vectors.library import Floats, Ids, Mask, flat_view, selector, threads
from indexer.storage.vectors.mapped import MappedRows

QUERIES = 300
TIMED = 25  # queries timed one by one for each effort
_FACTORS = (1, 2, 4, 8, 16, 32, 64, 128)  # candidates by depth
_MOST_CANDIDATES = 8_000
_TIE = 1e-6  # scores nearer than this are the same
_MARGIN = 0.5  # of the misses that the target allows

OnStep = Callable[[float], None]  # share of the measuring that is done


@dataclass(frozen=True)
class Truth:
    """What an exact search answers, the queries themselves left out."""

    positions: Ids  # of the queries, shape (n,)
    queries: Floats  # shape (n, dimension)
    nearest: Ids  # positions of the nearest others, best first, shape (n, deepest)
    scores: Floats  # theirs
    ranks: Ids  # how many score better, which is the same for equals


def find_truth(rows: MappedRows, live: Mask, positions: Ids, thread_count: int) -> Truth:
    """Ask every live row, one query at a time, for the nearest of each of `positions`."""
    covered = rows.rows[: len(live)]
    queries = covered[positions].astype(np.float32)
    deepest = min(DEPTHS[-1] + 1, int(live.sum()))
    with threads(thread_count) as faiss:
        parameters = faiss.SearchParameters(sel=selector(live))
        scores, found = flat_view(covered).search(queries, deepest, params=parameters)
    others = found != positions[:, None]
    others[others.all(axis=1), -1] = False  # itself lost among its equals: drop any of those
    shape = (len(positions), deepest - 1)
    nearest, scores = found[others].reshape(shape), scores[others].reshape(shape)
    return Truth(positions, queries, nearest, scores, np.stack([_ranks(row) for row in scores]))


def _ranks(scores: Floats) -> Ids:
    """For descending scores: how many are better by more than a tie, shape as given."""
    ranks: Ids = np.searchsorted(-scores, -scores - _TIE, side="left").astype(np.int64)
    return ranks


def measure(
    codes: Codes, rows: MappedRows, live: Mask, truth: Truth, target: float, on_step: OnStep
) -> Certificate:
    """The cheapest efforts that reach the target, or the best there is."""
    mask = None if live.all() else live
    points: dict[int, list[Point]] = {depth: [] for depth in DEPTHS}
    shares: dict[tuple[int, Effort], Floats] = {}
    steps = _list_counts(codes.lists)
    for number, lists in enumerate(steps):
        ranks = _candidate_ranks(codes, rows, truth, lists, mask)
        for depth in DEPTHS:
            for effort, found in _recalls(ranks, truth.nearest.shape[1], depth, lists, target):
                latency = _latency_ms(codes, rows, truth, depth, effort, mask)
                points[depth].append(Point(depth, effort, float(found.mean()), latency))
                shares[depth, effort] = found
        on_step((number + 1) / len(steps))
    chosen = tuple(_choose(points[depth], target) for depth in DEPTHS)
    return Certificate(
        target=target,
        queries=len(truth.positions),
        rows=len(live),
        live=int(live.sum()),
        recall_low=_low_end(shares[DEPTHS[0], chosen[0].effort]),
        exact_ms_per_row=_exact_ms_per_row(rows, truth),
        chosen=chosen,
        curve=tuple(sorted(points[DEPTHS[0]], key=lambda point: point.latency_ms)),
    )


def _list_counts(lists: int) -> list[int]:
    """Powers of two up to all of them, from a 256th on."""
    counts = [lists]
    while counts[-1] > max(1, lists // 256):
        counts.append(counts[-1] // 2)
    return counts[::-1]


def _candidate_ranks(
    codes: Codes, rows: MappedRows, truth: Truth, lists: int, mask: Mask | None
) -> Ids:
    """True ranks of the candidates in the order of their codes, the query itself left out.

    Shape (n, candidates); beyond every depth for those that are not among the nearest.
    """
    wanted = min(_MOST_CANDIDATES + 1, codes.covered)
    with threads(1):
        positions = codes.nearest_codes(truth.queries, wanted, lists, mask)
    ranks = np.full(positions.shape, len(rows.rows), np.int64)
    for row, found in enumerate(positions):
        real = found[(found >= 0) & (found != truth.positions[row])]
        ranks[row, : len(real)] = _ranks_of(real, rows, truth, row)
    return ranks


def _ranks_of(found: Ids, rows: MappedRows, truth: Truth, row: int) -> Ids:
    nearest = truth.nearest[row]
    order = np.argsort(nearest)
    at = np.minimum(np.searchsorted(nearest, found, sorter=order), len(nearest) - 1)
    known = nearest[order[at]] == found
    ranks = np.where(known, truth.ranks[row, order[at]], len(rows.rows))
    if truth.ranks[row, -1] < len(nearest) - 1:  # equals of the last one may lie beyond the end
        scores = rows.rows[found].astype(np.float32) @ truth.queries[row]
        tied = scores >= truth.scores[row, -1] - _TIE
        ranks = np.where(tied & ~known, truth.ranks[row, -1], ranks)
    return ranks


def _recalls(
    ranks: Ids, deepest: int, depth: int, lists: int, target: float
) -> list[tuple[Effort, Floats]]:
    """Efforts with so many lists, and the share of the true nearest that each query found.

    More candidates than reach the target cost time and gain nothing, so the first that does is
    the last. A candidate as good as the last true neighbour counts as one: ties are no misses.
    """
    here = min(depth, deepest)
    good = ranks < here
    efforts = []
    for factor in _FACTORS:
        candidates = min(depth * factor, _MOST_CANDIDATES)
        found = np.minimum(good[:, :candidates].sum(axis=1), here) / here
        efforts.append((Effort(lists, candidates), found.astype(np.float32)))
        if found.mean() >= _wanted(target) or candidates == _MOST_CANDIDATES:
            break
    return efforts


def _latency_ms(
    codes: Codes,
    rows: MappedRows,
    truth: Truth,
    depth: int,
    effort: Effort,
    mask: Mask | None,
) -> float:
    times = []
    for query in truth.queries[:TIMED]:
        started = time.perf_counter()
        codes.search(query[None], depth, effort, rows, mask)
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


def _choose(points: list[Point], target: float) -> Point:
    """The fastest that reaches the target with its margin, else without it, else the best."""
    for least in (_wanted(target), target):
        if good := [point for point in points if point.recall >= least]:
            return min(good, key=lambda point: (point.latency_ms, point.effort.lists))
    return max(points, key=lambda point: (point.recall, -point.latency_ms))


def _wanted(target: float) -> float:
    return target + (1 - target) * _MARGIN


def _low_end(found: Floats) -> float:
    """Lower end of the 95 % interval of the mean over queries, by 2,000 resamples."""
    draws = np.random.default_rng(0).integers(0, len(found), (2_000, len(found)))
    return float(np.quantile(found[draws].mean(axis=1), 0.025))
