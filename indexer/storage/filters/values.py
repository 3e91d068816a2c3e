"""When a value of the metadata is what a filter asks for.

YAML has made numbers, dates and truths of what people wrote, JSON has kept some of them as text: so
`year:2024` finds 2024, 2024.0, "2024" and the date "2024-05-01", whatever the case of letters.
"""

import operator
import re
import unicodedata
from collections.abc import Callable
from typing import Any, TypeAlias

from indexer.errors import QueryError
from indexer.storage.filters.dates import Period, period_of
from indexer.storage.filters.where import Order

Scalar: TypeAlias = str | int | float  # truths are "true" and "false"
Holds: TypeAlias = Callable[[Scalar], bool]

_TRUTHS = {"yes": "true", "on": "true", "no": "false", "off": "false"}  # as YAML reads them
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_MAX_NUMBER = 64  # characters: nothing longer is meant as a number
_ORDERS: dict[Order, Callable[[Any, Any], bool]] = {
    Order.BELOW: operator.lt,
    Order.UP_TO: operator.le,
    Order.ABOVE: operator.gt,
    Order.FROM: operator.ge,
}


def folded(text: str) -> str:
    """The text as it is compared: without case, outer spaces, or ways to compose accents."""
    return unicodedata.normalize("NFC", text.strip().casefold())


def number_of(text: str) -> int | float | None:
    """The number that the text is, or None."""
    if len(text) > _MAX_NUMBER or not _NUMBER.fullmatch(text):
        return None
    if text.lstrip("+-").isdecimal():
        return int(text)
    number = float(text)
    return number if number - number == 0 else None  # finite


def is_something(found: Scalar) -> bool:
    """Whether a value says anything; false and 0 do."""
    return found != ""


def has_tag(name: str) -> Holds:
    """Whether a value is this tag, or text that lists it between commas."""
    wanted, number = _tag(name), number_of(name)

    def holds(found: Scalar) -> bool:
        if isinstance(found, str):
            return any(_tag(part) == wanted for part in found.split(","))
        return found == number

    return holds


def equals(wanted: str) -> Holds:
    """Whether a value is this text, number or truth, or lies within this year, month or day."""
    text, number, period = folded(wanted), number_of(wanted), period_of(wanted)
    texts = {text, _TRUTHS.get(text, text)}

    def holds(found: Scalar) -> bool:
        if not isinstance(found, str):
            return found == number
        return folded(found) in texts or (period is not None and _within(found, period))

    return holds


def compares(order: Order, operand: str) -> Holds:
    """Whether a value is a number or date that stands so to the operand; text never does.

    Raises:
        QueryError: the operand is neither number nor date.
    """
    number, period = number_of(operand), period_of(operand)
    if number is None and period is None:
        raise QueryError(f"{operand[:80]!r} is neither a number nor a date such as 2025-01-31.")

    def holds(found: Scalar) -> bool:
        value = number_of(found.strip()) if isinstance(found, str) else found
        if value is not None and number is not None and _ORDERS[order](value, number):
            return True
        return isinstance(found, str) and period is not None and _is_so(order, found, period)

    return holds


def _tag(text: str) -> str:
    return folded(text).removeprefix("#")


def _within(found: str, period: Period) -> bool:
    date = period_of(found.strip())
    return date is not None and period.start_ns <= date.start_ns < period.end_ns


def _is_so(order: Order, found: str, period: Period) -> bool:
    """Whether a date stands so to a whole year, month or day: after it, or before it ends."""
    date = period_of(found.strip())
    if date is None:
        return False
    since, until = period.bounds(order)
    return (since is None or date.start_ns >= since) and (until is None or date.start_ns < until)
