"""What each field's condition means."""

import difflib
import re
from collections.abc import Callable

from app.search.where.dates import moment_of, range_of, settled
from app.search.where.names import language_of, type_of
from app.search.where.term import Term, Value
from indexer.documents import formats
from indexer.errors import QueryError
from indexer.storage.filters.dates import Period
from indexer.storage.filters.glob import path_matcher
from indexer.storage.filters.values import number_of
from indexer.storage.filters.where import (
    AllOf,
    AnyOf,
    Compared,
    Documents,
    Format,
    HasMetadata,
    Language,
    Metadata,
    Modified,
    Order,
    Path,
    Tag,
    Where,
)
from indexer.storage.languages import STEMMERS

_ID = re.compile(r"\d{1,18}", re.ASCII)
# What others call our fields; as a key of the front matter they must be written with "meta.".
_MISNAMED = {
    "ext": "type",
    "extension": "type",
    "filetype": "type",
    "format": "type",
    "file": "path",
    "filename": "path",
    "folder": "path",
    "dir": "path",
    "mtime": "modified",
    "docid": "id",
}
_DATES = "Write 2025, 2025-01, 2025-01-31, 2025-01-31T10:00Z, today, yesterday, or 12h, 7d, 2w, 3mo"


def condition_of(term: Term) -> Where:
    """The condition that a term means.

    Raises:
        QueryError: it means none.
    """
    name = term.name.casefold()
    if term.is_metadata:
        return _metadata(term)
    if name in _FIELDS:
        return _FIELDS[name](term)
    close = _MISNAMED.get(name) or next(
        iter(difflib.get_close_matches(name, _FIELDS, n=1, cutoff=0.8)), None
    )
    if close is not None:
        raise term.error(
            f"there is no such field. Did you mean {close}? "
            f"For this field of the front matter write meta.{term.name}."
        )
    return _metadata(term)


def _each(term: Term, condition: Callable[[Value], Where]) -> Where:
    """The condition for one of the values."""
    parts = tuple(condition(value) for value in term.values)
    return parts[0] if len(parts) == 1 else AnyOf(parts)


def _only_equal(term: Term) -> None:
    if term.order is not None:
        raise term.error(f"this field has no order. Write {term.name}: instead of {term.order}.")


def _path(term: Term) -> Where:
    def matching(value: Value) -> Path:
        try:
            path_matcher(value.text)
        except QueryError as error:
            raise term.error(str(error), value) from None
        return Path(value.text)

    _only_equal(term)
    return _each(term, matching)


def _type(term: Term) -> Where:
    _only_equal(term)
    names = set()
    for value in term.values:
        name = type_of(value.text)
        if name is None:
            close = difflib.get_close_matches(value.text.lower(), sorted(formats.NAMES), n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise term.error(
                f"no such type of file.{hint} Write a suffix such as md or py, or one of "
                f"{', '.join(sorted(formats.FORMATS))}, or a programming language.",
                value,
            )
        names.add(name)
    return Format(frozenset(names))


def _language(term: Term) -> Where:
    _only_equal(term)
    names: set[str] = set()
    for value in term.values:
        found = language_of(value.text)
        if found is None:
            raise term.error(
                "no language that documents are told apart by. Write a code such as de, or one of "
                f"{', '.join(sorted(STEMMERS))}, or unknown, as Chinese is and what has a script "
                "of its own.",
                value,
            )
        names.add(found)
    return Language(frozenset(names))


def _tag(term: Term) -> Where:
    def tagged(value: Value) -> Where:
        if _is_star(term, value):
            return AnyOf((HasMetadata("tags"), HasMetadata("tag")))
        return Tag(value.text)

    _only_equal(term)
    return _each(term, tagged)


def _is_star(term: Term, value: Value) -> bool:
    """Whether the value is a star alone, which stands for any."""
    if value.is_quoted or "*" not in value.text:
        return False
    if value.text != "*":
        raise term.error("* stands for any value, not for a part of one. Quote the value.", value)
    return True


def _id(term: Term) -> Where:
    _only_equal(term)
    for value in term.values:
        if not _ID.fullmatch(value.text):
            raise term.error("ids are whole numbers, as in hits: id:12 or id:(12, 13).", value)
    return Documents(frozenset(int(value.text) for value in term.values))


def _modified(term: Term) -> Where:
    if term.order is not None:
        return Modified(*_moment(term, _single(term)).bounds(term.order))
    return _each(term, lambda value: _modified_in(term, value))


def _modified_in(term: Term, value: Value) -> Modified:
    if ".." in value.text:
        bounds = range_of(value.text, term.now)
        if bounds is None:
            raise term.error(f"this is no range of dates. {_DATES}, with .. between two.", value)
        since, until = bounds
        if since is not None and until is not None and since >= until:
            raise term.error("this range ends before it begins.", value)
        return Modified(since, until)
    period = _moment(term, value)
    if period.start_ns == period.end_ns:
        return Modified(period.start_ns, None)  # 7d: within the last seven days
    return Modified(period.start_ns, period.end_ns)


def _moment(term: Term, value: Value) -> Period:
    period = moment_of(value.text, term.now)
    if period is None:
        raise term.error(f"this is no date. {_DATES}.", value)
    return period


def _single(term: Term) -> Value:
    if len(term.values) > 1:
        raise term.error(f"{term.order} compares with one value, not with a list.")
    return term.values[0]


def _metadata(term: Term) -> Where:
    if not term.name:
        raise term.error("the name of the field is empty.")
    if term.order is not None:
        value = _single(term)
        return Compared(term.name, term.order, _operand(term, value))
    return _each(term, lambda value: _metadata_is(term, value))


def _metadata_is(term: Term, value: Value) -> Where:
    if _is_star(term, value):
        return HasMetadata(term.name)
    low, dots, high = value.text.partition("..")
    if value.is_quoted or not (dots and low and high):
        return Metadata(term.name, value.text)
    parts = ((Order.FROM, _operand(term, value, low)), (Order.UP_TO, _operand(term, value, high)))
    return AllOf(tuple(Compared(term.name, order, operand) for order, operand in parts))


def _operand(term: Term, value: Value, text: str | None = None) -> str:
    """A number or date as `Compared` takes it."""
    text = value.text if text is None else text
    operand = text if number_of(text) is not None else settled(text, term.now)
    if operand is None:
        raise term.error(f"only numbers and dates are compared. {_DATES}; quote text.", value)
    return operand


_FIELDS: dict[str, Callable[[Term], Where]] = {
    "path": _path,
    "type": _type,
    "lang": _language,
    "language": _language,
    "modified": _modified,
    "tag": _tag,
    "tags": _tag,
    "id": _id,
}
