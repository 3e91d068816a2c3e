"""Waits: jitter within its bounds, the server's wish in full, dates by the server's own clock."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.embedding.remote.retry import Backoff, retry_after_s

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@given(st.integers(min_value=0, max_value=100_000))
def test_wait_is_drawn_from_zero_to_the_doubled_base(failures: int) -> None:
    wait = Backoff(base_s=0.5, cap_s=30).wait_s(failures)
    assert 0 <= wait <= min(30, 0.5 * 2 ** min(failures, 10))


def test_waits_differ() -> None:
    assert len({Backoff().wait_s(3) for _ in range(20)}) == 20


def test_retry_after_is_waited_in_full_and_a_little_more() -> None:
    waits = [Backoff(base_s=0.5).wait_s(0, 7.0) for _ in range(50)]
    assert all(7.0 <= wait <= 7.5 for wait in waits)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("1.5", 1.5),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sunday, 22-Nov-26 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:59:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("", None),
        ("²", None),
        ("Sun, 99 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_takes_seconds_and_http_dates(value: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": value}, NOW) == seconds


def test_retry_after_date_counts_from_the_servers_clock() -> None:
    slow = {"retry-after": "Sun, 22 Nov 2026 10:00:20 GMT", "date": "Sun, 22 Nov 2026 10:00:00 GMT"}
    assert retry_after_s(slow, NOW) == 20.0


def test_retry_after_without_the_header_is_none() -> None:
    assert retry_after_s({}, NOW) is None


@given(st.text(max_size=40))
def test_retry_after_survives_any_header(value: str) -> None:
    found = retry_after_s({"retry-after": value, "date": value}, NOW)
    assert found is None or found >= 0


def test_retry_after_of_a_far_date_is_that_long() -> None:
    far = NOW + timedelta(days=2)
    header = far.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after_s({"retry-after": header}, NOW) == 172_800.0
