"""Dates as precise as they are written: 2025 is a year, 2025-01-31T10:00 a minute."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from indexer.storage.filters.where import Order

SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?"
    r"\ ?(?P<zone>Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time in Unix nanoseconds, its end excluded; a moment if both are the same."""

    start_ns: int
    end_ns: int

    def bounds(self, order: Order) -> tuple[int | None, int | None]:
        """(since, until) of what stands so to the whole period; `until` is excluded."""
        match order:
            case Order.BELOW:
                return None, self.start_ns
            case Order.UP_TO:
                return None, self.end_ns
            case Order.ABOVE:
                return self.end_ns, None
            case Order.FROM:
                return self.start_ns, None


def period_of(text: str) -> Period | None:
    """The year, month, day, minute or second that a date in ISO 8601 names; None if it is none.

    Without a zone it is local time.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        return _period(found)
    except (ValueError, OverflowError, OSError):  # no such day, or beyond what can be reckoned
        return None


def unix_ns(moment: datetime) -> int:
    """Unix nanoseconds; a moment without zone is local time."""
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1) * 1_000


def text_of(ns: int, digits: int = 0) -> str:
    """The moment in ISO 8601, UTC, with at least so many digits of a second's fraction.

    `period_of` gives back the same moment, for years 1 to 9998.
    """
    seconds, rest = divmod(ns, SECOND_NS)
    fraction = f"{rest:09}".rstrip("0").ljust(digits, "0")
    moment = (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()
    return f"{moment}.{fraction}Z" if fraction else f"{moment}Z"


def _period(found: re.Match[str]) -> Period:
    year, month, day, hour, minute, second = (
        None if found[name] is None else int(found[name])
        for name in ("year", "month", "day", "hour", "minute", "second")
    )
    assert year is not None
    start = datetime(
        year, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=_zone(found["zone"])
    )
    start_ns = unix_ns(start)
    if fraction := found["fraction"]:
        step = 10 ** (9 - len(fraction))
        start_ns += int(fraction) * step
        return Period(start_ns, start_ns + step)
    if minute is not None:
        return Period(start_ns, start_ns + SECOND_NS * (60 if second is None else 1))
    # By the calendar: a local day may have 23 hours.
    return Period(start_ns, unix_ns(_following(start, month, day)))


def _following(start: datetime, month: int | None, day: int | None) -> datetime:
    if day is not None:
        return start + timedelta(days=1)
    if month is None or month == 12:
        return start.replace(year=start.year + 1, month=1)
    return start.replace(month=month + 1)


def _zone(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text in "Zz":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)
