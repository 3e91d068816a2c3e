"""A name for each request, in its answer and in every line that is logged for it."""

import logging
import re
import secrets
from contextvars import ContextVar

# None of these characters can break a header, a log line or a shell.
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str] = ContextVar("request_id", default="-")


def begin(given: str | None) -> str:
    """The sender's id for this request if it is a sane one, else a new one."""
    chosen = given if given and _SANE.fullmatch(given) else secrets.token_hex(8)
    _current.set(chosen)  # of this task; threads that work for it get a copy
    return chosen


def current() -> str:
    """The id of the request that is being answered; `-` outside of one."""
    return _current.get()


class RequestIdFilter(logging.Filter):
    """Gives log records `request_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        record.request_id = current()
        return True
