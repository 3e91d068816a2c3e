"""Intervals and tests: percentiles over rounds, means over queries, pairs of both."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.evaluation.results import Estimate, Times

RESAMPLES = 2_000
_SEED = 7
_LEVEL = 0.95
_SHUFFLES = 10_000

Floats = npt.NDArray[np.float64]
Blocks = Sequence[Sequence[float]]


def times_of(blocks: Blocks, reference: Blocks | None = None) -> Times:
    """Percentiles of all values, with block bootstrap intervals.

    Calls within a round share the machine's mood, so whole rounds are drawn, not calls (Künsch
    1989); a round of the reference is drawn with the round that ran beside it.

    Args:
        blocks: values of each round, none empty.
        reference: of as many rounds, to compare the medians with.
    """
    arrays = [np.asarray(block, np.float64) for block in blocks]
    drawn = _rounds(len(arrays))
    pooled = [np.concatenate([arrays[i] for i in picks]) for picks in drawn]
    every = np.concatenate(arrays)

    def at(share: float) -> Estimate:
        values = np.array([np.quantile(sample, share) for sample in pooled])
        return _estimate(float(np.quantile(every, share)), values)

    ratio = None
    if reference is not None:
        ratio = _ratio(arrays, [np.asarray(block, np.float64) for block in reference], drawn)
    return Times(
        n=len(every), mean=float(every.mean()), p50=at(0.5), p95=at(0.95), p99=at(0.99), ratio=ratio
    )


def mean_of_rounds(values: Sequence[float]) -> Estimate:
    """The mean of one value a round; the interval by drawing rounds."""
    array = np.asarray(values, np.float64)
    return _estimate(float(array.mean()), array[_rounds(len(array))].mean(axis=1))


def mean_over_queries(values: Sequence[float]) -> Estimate:
    """The mean of one value a query; the interval by drawing queries."""
    array = np.asarray(values, np.float64)
    draw = np.random.default_rng(_SEED)
    means = np.array([draw.choice(array, len(array)).mean() for _ in range(RESAMPLES)])
    return _estimate(float(array.mean()), means)


def paired_p(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How often chance alone gives so great a difference of means; 1 where there is none.

    Two-sided randomisation test over queries (Smucker, Allan and Carterette 2007): under the null
    hypothesis each query's two values might as well be swapped.
    """
    differences = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    draw = np.random.default_rng(_SEED)
    found = abs(differences.sum())
    as_far = 0
    for _ in range(10):  # in parts: a thousand queries by ten thousand signs would be 80 MB
        signs = draw.choice((-1.0, 1.0), (_SHUFFLES // 10, len(differences)))
        as_far += int(np.count_nonzero(np.abs(signs @ differences) >= found - 1e-12))
    return (as_far + 1) / (_SHUFFLES + 1)


def _rounds(count: int) -> npt.NDArray[np.int64]:
    """Rounds drawn with replacement, shape (RESAMPLES, count)."""
    return np.random.default_rng(_SEED).integers(count, size=(RESAMPLES, count))


def _ratio(
    arrays: Sequence[Floats], reference: Sequence[Floats], drawn: npt.NDArray[np.int64]
) -> Estimate:
    def medians(of: Sequence[Floats]) -> Floats:
        return np.array([np.median(np.concatenate([of[i] for i in picks])) for picks in drawn])

    value = np.median(np.concatenate(arrays)) / np.median(np.concatenate(reference))
    return _estimate(float(value), medians(arrays) / medians(reference))


def _estimate(value: float, drawn: Floats) -> Estimate:
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return Estimate(value=value, low=float(low), high=float(high))
