"""How hard to look: between what was measured, and no harder than the target asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.storage.vectors.certificate import DEPTHS, SCATTERED, Certificate, Effort, Point
from indexer.storage.vectors.efforts import choose, fastest, fewest_lists, near_the_target


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
    filtered=(point(10, 112, 160), point(100, 320, 1_600), point(1_000, 420, 8_000)),
    curve=(point(10, 64, ms=0.6), point(10, 362, ms=2.0), point(10, 181, ms=1.2)),
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
    assert CERTIFICATE.effort(10, 0.1) == Effort(lists=320, candidates=160)


def test_a_filter_takes_its_share_of_the_candidates_of_that_depth() -> None:
    assert CERTIFICATE.effort(100, 0.1) == Effort(lists=420, candidates=800)


@pytest.mark.parametrize(
    ("k", "share", "ms"),
    [
        (10, 1.0, 1.0),  # as measured
        (10, 0.1, 2.0 + 120 * 7e-5 * SCATTERED),  # its lists, and a tenth of their candidates
        (10, 0.001, 2.0 * 4_200 / 362 + 40 * 7e-5 * SCATTERED),  # more lists than were tried
        (100, 1.0, 2.0 + 360 * 7e-5 * SCATTERED),
    ],
)
def test_a_search_costs_its_lists_and_its_own_candidates(k: int, share: float, ms: float) -> None:
    assert CERTIFICATE.latency_ms(k, share) == pytest.approx(ms)


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
    assert near_the_target(tried, 0.99) == [140, 152, 166]


@pytest.mark.parametrize("lows", [(0.9, 0.95), (0.995, 0.999)])
def test_no_counts_are_tried_where_none_reaches_or_the_least_does(lows: tuple[float, ...]) -> None:
    tried = [point(DEPTHS[0], lists, low=low) for lists, low in zip((4, 6), lows, strict=True)]
    assert near_the_target(tried, 0.99) == []


def test_fastest_is_never_one_that_does_more_in_every_way() -> None:
    """On a busy machine the 197 lists were timed in a quiet moment."""
    tried = [point(10, 128, ms=1.4), point(10, 197, ms=1.2), point(10, 256, 20, ms=1.3)]
    assert choose(tried, 0.99, fastest).effort == Effort(256, 20)
    assert choose(tried, 0.99, fewest_lists).effort == Effort(128, 40)
    assert choose([*tried, point(10, 64, 8, low=0.9)], 0.99, fastest).effort == Effort(256, 20)
    assert choose(tried, 0.999, fewest_lists).effort == Effort(197, 40)  # none reaches it
