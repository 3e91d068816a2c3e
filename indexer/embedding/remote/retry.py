"""When to try again: full jitter, the server's Retry-After, and an end to patience."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_RANDOM = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one request goes on after failures that may heal."""

    retries: int  # tries after the first, each on the endpoint that is free first
    total_s: float  # from the first failure on; a wait that would end later is not begun


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between tries on one endpoint."""

    base_s: float = 0.5
    cap_s: float = 30.0

    def wait_s(self, failures: int, retry_after_s: float | None = None) -> float:
        """Seconds until the next try.

        Uniform in [0, min(cap, base x 2^failures)] ("full jitter", Brooker, "Exponential Backoff
        and Jitter", AWS Architecture Blog, 2015). What the server asks for is waited in full, and a
        little more, so that clients told the same do not come back together.

        Args:
            failures: failures in a row before this one.
            retry_after_s: what the server asked for.
        """
        if retry_after_s is not None:
            return retry_after_s + _RANDOM.uniform(0, self.base_s)
        # The exponent is bounded: 2.0**1024 overflows.
        return _RANDOM.uniform(0, min(self.cap_s, self.base_s * 2.0 ** min(failures, 32)))


# A run of an hour must outlive a server's restart: eight waits take 46 s on average, 92 s at most.
# A person who waits for an answer would rather be told.
FOR_DOCUMENTS = Patience(retries=8, total_s=120.0)
FOR_QUERIES = Patience(retries=2, total_s=10.0)


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3): a number or an HTTP date.

    A date counts from the answer's own Date where it has one, so that clocks need not agree.

    Args:
        headers: names in any case the mapping accepts, e.g. httpx.Headers.
        now: this machine's time; for answers without a Date.

    Returns:
        0 or more; None without the header or with one that says neither.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.replace(".", "", 1).isdigit() and value.isascii():
        return float(value)
    until = _date(value)
    if until is None:
        return None
    start = _date(headers.get("date", "")) or now or datetime.now(UTC)
    return max(0.0, (until - start).total_seconds())


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
