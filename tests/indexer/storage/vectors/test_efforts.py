"""How hard to look: between what was measured, and no harder than the target asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.storage.vectors.certificate import DEPTHS, Certificate, Effort, Point
from indexer.storage.vectors.measure import _near_the_target


def point(
    depth: int, lists: int, candidates: int = 40, low: float = 0.99, ms: float = 1.0
) -> Point:
    return Point(depth, Effort(lists, candidates), low + 0.003, low, ms)


CERTIFICATE = Certificate(
    target=0.99,
    queries=1_000,
    rows=1_000_000,
    live=1_000_000,
    exact_ms_per_row=7e-5,
    chosen=(point(10, 128, 80), point(100, 362, 400), point(1_000, 512, 4_000)),
    curve=(),
)


@pytest.mark.parametrize("measured", CERTIFICATE.chosen)
def test_at_a_measured_depth_the_effort_is_the_measured_one(measured: Point) -> None:
    assert CERTIFICATE.effort(measured.depth) == measured.effort


def test_less_than_the_least_depth_takes_the_least_effort() -> None:
    assert CERTIFICATE.effort(1) == CERTIFICATE.effort(10)


def test_beyond_the_deepest_the_lists_grow_with_the_depth() -> None:
    assert CERTIFICATE.effort(3_000).lists == 3 * 512
    assert CERTIFICATE.effort(5_000).candidates == 20_000


def test_a_filter_scans_the_lists_of_the_depth_at_which_its_rows_lie() -> None:
    assert CERTIFICATE.effort(10, 0.1) == Effort(lists=362, candidates=80)


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.floats(1e-6, 1))
def test_a_deeper_search_never_looks_less_hard(one: int, other: int, share: float) -> None:
    less, more = (CERTIFICATE.effort(k, share) for k in sorted((one, other)))
    assert less.lists <= more.lists
    assert less.candidates <= more.candidates
    assert less.candidates >= min(one, other)


def test_counts_are_tried_between_the_last_that_misses_and_the_first_that_reaches() -> None:
    tried = [
        point(DEPTHS[0], lists, low=low) for lists, low in ((91, 0.97), (128, 0.985), (181, 1))
    ]
    assert _near_the_target(tried, 0.99) == [140, 152, 166]


@pytest.mark.parametrize("lows", [(0.9, 0.95), (0.995, 0.999)])
def test_no_counts_are_tried_where_none_reaches_or_the_least_does(lows: tuple[float, ...]) -> None:
    tried = [point(DEPTHS[0], lists, low=low) for lists, low in zip((4, 6), lows, strict=True)]
    assert _near_the_target(tried, 0.99) == []
