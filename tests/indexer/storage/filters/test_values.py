"""When a value of the front matter is what a filter asks for."""

import time
from collections.abc import Iterator

import pytest

from indexer.errors import QueryError
from indexer.storage.filters.dates import period_of, text_of
from indexer.storage.filters.values import Scalar, compares, equals, has_tag, number_of
from indexer.storage.filters.where import Order


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ("alice", "Alice", True),
        ("STRASSE", "straße", True),
        ("u\u0308", "Ü", True),
        (" a ", "a", True),
        ("a", "a b", False),
        ("5", 5, True),
        ("5.0", 5, True),
        ("1.10", 1.1, True),
        ("1.10", "1.1", False),
        ("007", "007", True),
        ("007", "7", False),
        ("5", "five", False),
        ("five", 5, False),
        ("yes", "true", True),
        ("Off", "false", True),
        ("no", "no", True),
        ("1", "true", False),
        ("2024", "2024-05-01", True),
        ("2024-05", "2024-05-31T23:59", True),
        ("2024-05", "2024-06-01", False),
        ("2024-05-01", "2024-05", True),
        ("2024", "2024 was fine", False),
        ("", "", True),
    ],
)
def test_value_equals(wanted: str, found: Scalar, expected: bool) -> None:
    assert equals(wanted)(found) is expected


@pytest.mark.parametrize(
    ("name", "found", "expected"),
    [
        ("draft", "Draft", True),
        ("draft", "a, DRAFT ,b", True),
        ("draft", "drafts", False),
        ("#draft", "draft", True),
        ("draft", "#draft", True),
        ("machine learning", "Machine Learning, AI", True),
        ("learning", "machine learning", False),
        ("2024", 2024, True),
        ("2024", 2023, False),
    ],
)
def test_value_is_a_tag(name: str, found: Scalar, expected: bool) -> None:
    assert has_tag(name)(found) is expected


@pytest.mark.parametrize(
    ("order", "operand", "found", "expected"),
    [
        (Order.FROM, "2020", 2020, True),
        (Order.ABOVE, "2020", 2020, False),
        (Order.ABOVE, "2020", "2020-12-31", False),
        (Order.ABOVE, "2020", "2021-01-01", True),
        (Order.UP_TO, "2020", "2020-12-31", True),
        (Order.BELOW, "2020-06", "2020-05-31", True),
        (Order.BELOW, "10", "9", True),
        (Order.BELOW, "10", 9.5, True),
        (Order.BELOW, "10", "nine", False),
        (Order.BELOW, "1e3", "true", False),
        (Order.FROM, "-1", -0.5, True),
        (Order.FROM, "2020-01", "some day", False),
        (Order.FROM, "2020-06", 2021, False),
        (Order.ABOVE, "10", "9" * 5_000, False),
        (Order.FROM, "2024-01-01T12:00Z", "2024-01-01T14:00+02:00", True),
        (Order.ABOVE, "2024-01-01T12:00Z", "2024-01-01T14:00+02:00", False),
    ],
)
def test_value_is_compared(order: Order, operand: str, found: Scalar, expected: bool) -> None:
    assert compares(order, operand)(found) is expected


def test_operand_without_order_is_refused() -> None:
    with pytest.raises(QueryError, match="'many' is neither a number nor a date"):
        compares(Order.FROM, "many")


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e999", "1_000", "0x10", "²", "1" * 65, "-"])
def test_text_is_no_number(text: str) -> None:
    assert number_of(text) is None


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2025", "2024-12-31T23:00:00Z", "2025-12-31T23:00:00Z"),
        ("2025-12", "2025-11-30T23:00:00Z", "2025-12-31T23:00:00Z"),
        ("2025-03-30", "2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z"),  # 23 hours
        ("2025-07-01T12:00", "2025-07-01T10:00:00Z", "2025-07-01T10:01:00Z"),
        ("2025-07-01 12:00:30", "2025-07-01T10:00:30Z", "2025-07-01T10:00:31Z"),
        ("2025-07-01t12:00z", "2025-07-01T12:00:00Z", "2025-07-01T12:01:00Z"),
        ("2025-07-01T12:00-0230", "2025-07-01T14:30:00Z", "2025-07-01T14:31:00Z"),
        ("2025-07-01T12:00:00.5Z", "2025-07-01T12:00:00.5Z", "2025-07-01T12:00:00.6Z"),
        (
            "1969-12-31T23:59:59.999999999Z",
            "1969-12-31T23:59:59.999999999Z",
            "1970-01-01T00:00:00Z",
        ),
    ],
)
def test_date_is_as_long_as_it_is_precise(text: str, start: str, end: str) -> None:
    period = period_of(text)
    assert period is not None
    assert (text_of(period.start_ns), text_of(period.end_ns)) == (start, end)


@pytest.mark.parametrize(
    "text",
    [
        *("", "25", "2025-", "2025-1", "2025-13", "2025-02-30", "0000", "9999", "20250101"),
        *("2025-01-01Z", "2025-01-01T24:00", "2025-01-01T10", "2025-01-01T10:00+25:00"),
        *("2025-01-01T10:00:61", "٢٠٢٥", "2025-01-01\n"),
    ],
)
def test_text_is_no_date(text: str) -> None:
    assert period_of(text) is None
