"""The error tree. Everything this program raises on purpose is a SemsearchError.

SemsearchError
├── UsageError            a flag, setting or request that cannot be honoured
├── ReadError             a file or folder that cannot be read or parsed
├── ModelError            a model that cannot be found, verified or loaded
├── PlacementError        a mode this machine cannot run (no GPU, out of memory)
├── StoreError            the collection on disk
│   ├── NotFoundError     no such collection or document
│   ├── LockedError       another process is writing; carries its pid
│   ├── CorruptError      damaged beyond what a rebuild can mend
│   ├── TooNewError       written by a newer semsearch
│   └── ContractError     another model, prompt, dimension or chunker than the collection's
├── QueryError            a query that cannot be answered
└── OverloadedError       too much load now; come back later

One table (`CODES`) maps a class to its exit code and HTTP status. Messages say what, the actual
value, and what to do next.
"""


class SemsearchError(Exception):
    """Base of every error raised on purpose; its text is fit for a user."""


class UsageError(SemsearchError):
    """A flag, setting or request that cannot be honoured."""


class ReadError(SemsearchError):
    """A file or folder that cannot be read or parsed."""


class ModelError(SemsearchError):
    """A model that cannot be found, verified or loaded."""


class PlacementError(SemsearchError):
    """A mode this machine cannot run."""


class StoreError(SemsearchError):
    """The collection on disk cannot do what was asked."""


class NotFoundError(StoreError):
    """No such collection or document."""


class LockedError(StoreError):
    """Another process is writing to the collection."""

    def __init__(self, message: str, holder_pid: int | None = None) -> None:
        super().__init__(message)
        self.holder_pid = holder_pid


class CorruptError(StoreError):
    """Damaged beyond what a rebuild can mend."""


class TooNewError(StoreError):
    """The collection was written by a newer semsearch."""


class ContractError(StoreError):
    """Another contract than the collection's; the text shows both."""


class QueryError(SemsearchError):
    """A query that cannot be answered."""


class OverloadedError(SemsearchError):
    """Too much load now; the text says when to come back."""

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s  # whole seconds; None: not known


# class -> (exit code, HTTP status). sysexits.h: 65 EX_DATAERR, 69 EX_UNAVAILABLE, 75 EX_TEMPFAIL.
CODES: dict[type[SemsearchError], tuple[int, int]] = {
    UsageError: (2, 422),
    ReadError: (2, 422),
    QueryError: (2, 422),
    ModelError: (69, 503),
    PlacementError: (69, 503),
    NotFoundError: (2, 404),
    LockedError: (75, 503),
    CorruptError: (65, 500),
    TooNewError: (65, 500),
    ContractError: (65, 409),
    StoreError: (65, 500),
    OverloadedError: (75, 429),
    SemsearchError: (70, 500),
}


def codes_of(error: SemsearchError) -> tuple[int, int]:
    """(exit code, HTTP status) of the nearest class in `CODES`."""
    for cls in type(error).__mro__:
        if cls in CODES:
            return CODES[cls]
    raise AssertionError(f"{type(error).__name__} is not a SemsearchError")
