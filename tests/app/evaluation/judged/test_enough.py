"""The interval against published values, and the sentence that shows it."""

import pytest

from app.evaluation.judged.enough import too_few, wilson


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine
    # 17 (1998), table I, method 3 (Wilson's score without continuity correction).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)],
)
def test_wilson_gives_the_published_intervals(
    hits: int, count: int, low: float, high: float
) -> None:
    assert wilson(hits / count, count) == pytest.approx((low, high), abs=5e-5)


def test_too_few_says_how_wide_the_interval_is() -> None:
    sentence = too_few(12)
    assert sentence is not None
    assert sentence.startswith("Only 12 queries with a relevant document: a measured recall of 0.9")
    assert "from 0.63 to 0.98" in sentence
    assert "Only 1 query with" in (too_few(1) or "")
    assert "nothing can be measured" in (too_few(0) or "")


def test_fifty_queries_are_enough() -> None:
    assert "49 queries" in (too_few(49) or "")
    assert too_few(50) is None
