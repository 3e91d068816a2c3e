"""Intervals and tests against what is known of the numbers."""

import numpy as np
import pytest
from scipy.stats import permutation_test

from app.evaluation.statistics import mean_of_rounds, mean_over_queries, paired_p, times_of


def test_times_of_rounds_give_percentiles_of_all_calls_and_a_ratio_of_medians() -> None:
    draw = np.random.default_rng(1)
    fast = [draw.gamma(20, 0.5, 60).tolist() for _ in range(6)]
    slow = [[3 * value for value in block] for block in fast]
    found = times_of(slow, fast)
    every = np.concatenate(slow)
    assert found.n == 360
    assert found.mean == pytest.approx(every.mean())
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        estimate = getattr(found, name)
        assert estimate.value == pytest.approx(np.quantile(every, share))
        assert estimate.low <= estimate.value <= estimate.high
    assert found.ratio is not None
    assert (found.ratio.low, found.ratio.value, found.ratio.high) == pytest.approx((3, 3, 3))


def test_interval_of_a_ratio_is_free_of_what_both_shared() -> None:
    """A machine that is twice as slow in one round is so for both: the ratio does not move."""
    moods = (1.0, 2.0, 1.1, 1.6, 0.9)
    ours = [[10 * mood] * 20 for mood in moods]
    theirs = [[5 * mood] * 20 for mood in moods]
    found = times_of(ours, theirs)
    assert found.p50.high / found.p50.low > 1.3
    assert found.ratio is not None
    assert (found.ratio.low, found.ratio.high) == pytest.approx((2, 2))


def test_interval_over_rounds_covers_the_mean_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(3)
    covered = 0
    for _ in range(100):
        found = mean_over_queries(draw.normal(1.0, 0.3, 80).tolist())
        covered += found.low <= 1.0 <= found.high
    assert 88 <= covered <= 100
    assert mean_of_rounds([2.0] * 5).high == 2.0


def test_paired_p_agrees_with_scipy_and_sees_no_difference_where_there_is_none() -> None:
    draw = np.random.default_rng(5)
    theirs = draw.random(60)
    ours = theirs + draw.normal(0.04, 0.15, 60)
    oracle = permutation_test(
        (ours - theirs,), np.mean, permutation_type="samples", n_resamples=20_000, rng=draw
    )
    assert paired_p(ours.tolist(), theirs.tolist()) == pytest.approx(oracle.pvalue, abs=0.015)
    assert paired_p(theirs.tolist(), theirs.tolist()) == 1.0
    assert paired_p([1.0] * 20, [0.0] * 20) < 0.001
