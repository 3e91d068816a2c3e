"""Every error the public API raises on purpose; `SemsearchError` is their base."""

from indexer.errors import (
    ContractError,
    CorruptError,
    LockedError,
    ModelError,
    NotFoundError,
    OverloadedError,
    PlacementError,
    QueryError,
    ReadError,
    SemsearchError,
    StoreError,
    TooNewError,
    UsageError,
)

__all__ = [
    "ContractError",
    "CorruptError",
    "LockedError",
    "ModelError",
    "NotFoundError",
    "OverloadedError",
    "PlacementError",
    "QueryError",
    "ReadError",
    "SemsearchError",
    "StoreError",
    "TooNewError",
    "UsageError",
]
