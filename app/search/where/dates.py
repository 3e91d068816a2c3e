"""Dates as people write them in filters: absolute, or so long ago."""

import calendar
import re
from datetime import datetime, timedelta

from indexer.storage.filters.dates import Period, period_of, text_of, unix_ns

_AGO = re.compile(r"(\d{1,5})(min|h|d|w|mo|y)", re.ASCII | re.IGNORECASE)
_UNITS = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_MONTHS = {"mo": 1, "y": 12}
_DAYS = {"today": 0, "yesterday": 1}


def moment_of(text: str, now: datetime) -> Period | None:
    """The period of a date, the day of "yesterday", the moment of "7d"; None for other text."""
    written = settled(text, now)
    period = None if written is None else period_of(written)
    if period is None or not _AGO.fullmatch(text):
        return period
    return Period(period.start_ns, period.start_ns)


def settled(text: str, now: datetime) -> str | None:
    """The date in ISO 8601 that the text means at this time; None if it means none."""
    if text.lower() in _DAYS:
        return (now.astimezone() - timedelta(days=_DAYS[text.lower()])).date().isoformat()
    found = _AGO.fullmatch(text)
    if found is None:
        return text if period_of(text) is not None else None
    second = now.astimezone().replace(microsecond=0)
    try:
        return text_of(unix_ns(_ago(second, int(found[1]), found[2].lower())))
    except (ValueError, OverflowError, OSError):  # before the first year
        return None


def range_of(text: str, now: datetime) -> tuple[int | None, int | None] | None:
    """(since, until) of "2025-01..2025-03", both included; either side may be left out.

    `until` is the first nanosecond after the range. None for other text.
    """
    low, _, high = text.partition("..")
    first = moment_of(low, now) if low else None
    last = moment_of(high, now) if high else None
    if (low and first is None) or (high and last is None) or not (low or high):
        return None
    return (first.start_ns if first else None, last.end_ns if last else None)


def _ago(now: datetime, count: int, unit: str) -> datetime:
    if unit in _UNITS:
        return now - count * _UNITS[unit]
    year, month = divmod(now.year * 12 + now.month - 1 - count * _MONTHS[unit], 12)
    day = min(now.day, calendar.monthrange(year, month + 1)[1])
    # Without its zone: summer time may have begun since.
    return now.replace(year=year, month=month + 1, day=day, tzinfo=None)
