"""One condition as it is written, before it means anything."""

from dataclasses import dataclass
from datetime import datetime

from app.search.where.source import Source, Span
from indexer.errors import QueryError
from indexer.storage.filters.where import Order


@dataclass(frozen=True, slots=True)
class Value:
    """What a field is compared with."""

    text: str
    is_quoted: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Term:
    """A field, how it is compared, and with what."""

    source: Source
    span: Span  # of the field
    name: str  # without "meta."
    is_metadata: bool  # written with "meta."
    order: Order | None  # None: equal to one of the values
    values: tuple[Value, ...]
    now: datetime

    def error(self, message: str, value: Value | None = None) -> QueryError:
        """An error about a value, or about the field."""
        return self.source.error(message, self.span if value is None else value.span)
