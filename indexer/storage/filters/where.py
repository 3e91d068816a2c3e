"""Conditions on documents, as frozen data; `columns` and `metadata` say what each means.

AllOf((Format(frozenset({"markdown"})), Not(Path("archive/**"))))
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from indexer.errors import QueryError

MAX_CONDITIONS = 200  # of one filter; more is a mistake, or an attempt to keep us busy


@dataclass(frozen=True, slots=True)
class Path:
    """The file's absolute path matches a shell pattern; see `glob`."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Format:
    """The document's format, as its reader names it, is one of these."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Language:
    """The document's language is one of these; "" for unknown."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Modified:
    """The file was modified at or after `since_ns` and before `until_ns`, Unix nanoseconds."""

    since_ns: int | None = None
    until_ns: int | None = None


class Order(StrEnum):
    """How one value stands to another."""

    BELOW = "<"
    UP_TO = "<="
    ABOVE = ">"
    FROM = ">="


@dataclass(frozen=True, slots=True)
class Metadata:
    """A field of the front matter, or a member of the list there, is this; see `values.equals`."""

    key: str  # a.b is b inside a; case does not matter
    value: str


@dataclass(frozen=True, slots=True)
class HasMetadata:
    """A field of the front matter is there, and not empty."""

    key: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A field of the front matter is a number or date that stands so to the operand."""

    key: str
    order: Order
    operand: str  # a number, or a date as in `dates`


@dataclass(frozen=True, slots=True)
class Tag:
    """`tags` or `tag` of the front matter name this, in a list or between commas, in any case."""

    name: str


@dataclass(frozen=True, slots=True)
class Documents:
    """The document is one of these."""

    ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    condition: "Where"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every condition holds; none at all always does."""

    conditions: tuple["Where", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one condition holds; of none at all, none does."""

    conditions: tuple["Where", ...]


Field: TypeAlias = (
    Path | Format | Language | Modified | Metadata | HasMetadata | Compared | Tag
)  # what a column tells
Leaf: TypeAlias = Field | Documents
Where: TypeAlias = Leaf | Not | AllOf | AnyOf


def check_size(where: Where) -> None:
    """Refuse a filter that nobody would write by hand.

    Raises:
        QueryError: too many conditions.
    """
    waiting, seen = [where], 0
    while waiting:
        seen += 1
        if seen > MAX_CONDITIONS:
            raise QueryError(f"The filter has more than {MAX_CONDITIONS} conditions. Use fewer.")
        match waiting.pop():
            case Not(condition):
                waiting.append(condition)
            case AllOf(conditions) | AnyOf(conditions):
                waiting.extend(conditions)
