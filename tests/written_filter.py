"""The inverse of the filter parser, for tests: a filter as text, in one form for each."""

import re

from indexer.storage.filters.dates import text_of
from indexer.storage.filters.where import (
    AllOf,
    AnyOf,
    Compared,
    Documents,
    Format,
    HasMetadata,
    Language,
    Leaf,
    Metadata,
    Modified,
    Not,
    Path,
    Tag,
    Where,
)

_EVERYTHING, _NOTHING = "path:**", "not path:**"
_PLAIN = re.compile(r"(?!(?:and|or|not)\Z)\w[\w/-]*", re.IGNORECASE)
_PLAIN_PATTERN = re.compile(r"(?!(?:and|or|not)\Z)[\w./*?-]+", re.IGNORECASE)
_PLAIN_KEY = re.compile(r"\w[\w.-]*")
_NANOSECOND = 9  # digits


def where_to_text(where: Where) -> str:
    """The filter in the grammar of `parse_where`, which reads it back to an equal one.

    Only what the grammar cannot say comes back in other words that find the same: "all of" one
    condition as that condition, "one of" none as a filter that nothing passes.
    """
    match where:
        case Not(condition):
            return f"not {_member(condition)}"
        case AllOf(parts):
            return _joined(parts, " and ", _EVERYTHING)
        case AnyOf(parts):
            return _joined(parts, " or ", _NOTHING)
        case _:
            return _leaf(where)


def _joined(parts: tuple[Where, ...], word: str, of_none: str) -> str:
    if len(parts) == 1:
        return where_to_text(parts[0])
    return word.join(_member(part) for part in parts) or of_none


def _member(where: Where) -> str:
    text = where_to_text(where)
    while isinstance(where, AllOf | AnyOf) and len(where.conditions) == 1:
        where = where.conditions[0]
    return f"({text})" if isinstance(where, AllOf | AnyOf) and where.conditions else text


def _leaf(where: Leaf) -> str:
    match where:
        case Path(pattern):
            return f"path:{_quoted(pattern, _PLAIN_PATTERN)}"
        case Format(names):
            return _list("type", sorted(names))
        case Language(names):
            return _list("lang", sorted(name or "unknown" for name in names))
        case Modified(since, until):
            return _modified(since, until)
        case Tag(name):
            return f"tag:{_quoted(name)}"
        case Documents(ids):
            return _list("id", [str(number) for number in sorted(ids) if number >= 0])
        case Metadata(key, value):
            return f"{_key(key)}:{_quoted(value)}"
        case HasMetadata(key):
            return f"{_key(key)}:*"
        case Compared(key, order, operand):
            return f"{_key(key)}{order}{_quoted(operand)}"


def _list(field: str, names: list[str]) -> str:
    if len(names) == 1:
        return f"{field}:{names[0]}"
    return f"{field}:({', '.join(names)})" if names else _NOTHING


def _modified(since: int | None, until: int | None) -> str:
    if since is None and until is None:
        return _EVERYTHING
    if until is None:
        return f"modified>={text_of(since or 0)}"
    if since is None:
        return f"modified<{text_of(until)}"
    if since >= until:
        return _NOTHING
    return f"modified:{text_of(since)}..{text_of(until - 1, _NANOSECOND)}"


def _key(key: str) -> str:
    return f"meta.{key}" if _PLAIN_KEY.fullmatch(key) else f"meta.{_in_quotes(key)}"


def _quoted(text: str, plain: re.Pattern[str] = _PLAIN) -> str:
    return text if plain.fullmatch(text) else _in_quotes(text)


def _in_quotes(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
