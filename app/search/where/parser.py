"""Text to a filter, by recursive descent that is bounded before it begins.

filter    = all { "or" all }
all       = one { ["and"] one }
one       = { "not" } ( "(" filter ")" | condition )
condition = field operator ( value | "(" value { "," value } ")" )
"""

import re
from datetime import datetime

from app.search.query import MAX_FILTER_CHARS
from app.search.where.fields import condition_of
from app.search.where.source import Source, Span
from app.search.where.term import Term, Value
from indexer.errors import QueryError
from indexer.storage.filters.where import AllOf, AnyOf, Not, Order, Where, check_size

MAX_CHARS = MAX_FILTER_CHARS
MAX_DEPTH = 32  # parentheses and negations inside one another

_OR = re.compile(r"or(?![\w.-])|\|\|", re.IGNORECASE)
_AND = re.compile(r"and(?![\w.-])|&&", re.IGNORECASE)
_NOT = re.compile(r"not(?![\w.-])|!|-", re.IGNORECASE)
_KEYWORD = re.compile(r"(?:and|or|not)\Z", re.IGNORECASE)
_OPEN, _CLOSE, _COMMA = re.compile(r"\("), re.compile(r"\)"), re.compile(",")
_STRING = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_FIELD = re.compile(rf"(meta\.)?(?:(\w[\w.-]*)|({_STRING}))", re.DOTALL | re.IGNORECASE)
_OPERATOR = re.compile(r"(?P<not>!=)|:?\s*(?P<order>>=|<=|>|<)|:?==?|:")
_QUOTED = re.compile(_STRING, re.DOTALL)
_QUOTE = re.compile(r"[\"']")
_BARE = re.compile(r"(?:(?!&&|\|\|)[^\s(),\"])+")
_EXAMPLE = "A condition is written tag:draft, path:docs/*.md or modified>=2025-01-31"


def parse_where(text: str, now: datetime | None = None) -> Where:
    """The filter that the text means.

    Args:
        text: see docs/filters.md; at most `MAX_CHARS` characters.
        now: what "7d" and "today" are reckoned from, with its zone; by default this second.

    Raises:
        QueryError: it means nothing; the message says what is wrong at which character, and what
            would be right.
    """
    if len(text) > MAX_CHARS:
        raise QueryError(
            f"The filter has {len(text):,} characters; at most {MAX_CHARS:,} are taken."
        )
    if not text.strip():
        raise QueryError(f"The filter is empty. {_EXAMPLE}; leave it out to search everything.")
    where = _Parser(Source(text), now or datetime.now().astimezone()).parse()
    check_size(where)
    return where


class _Parser:
    def __init__(self, source: Source, now: datetime) -> None:
        self._source = source
        self._now = now
        self._depth = 0

    def parse(self) -> Where:
        where = self._any()
        if self._source.comes(_CLOSE):
            raise self._source.error("nothing is open here that ) could close.")
        if not self._source.at_end():
            raise self._source.error("a comma stands only in a list, as in tag:(a, b).")
        return where

    def _any(self) -> Where:
        parts = [self._all()]
        while self._source.take(_OR):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Where:
        parts = [self._one()]
        while self._goes_on():
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _goes_on(self) -> bool:
        if self._source.take(_AND):
            return True
        ended = self._source.at_end() or self._source.comes(_CLOSE) or self._source.comes(_COMMA)
        return not ended and not self._source.comes(_OR)

    def _one(self) -> Where:
        before, negations = self._depth, 0
        while self._source.take(_NOT):
            negations += 1
            self._deeper()
        where = self._inside() if self._source.take(_OPEN) else self._condition()
        self._depth = before
        for _ in range(negations):
            where = Not(where)
        return where

    def _inside(self) -> Where:
        opened = Span(self._source.position - 1, self._source.position)
        self._deeper()
        where = self._any()
        if self._source.at_end():
            raise self._source.error("this ( is never closed by ).", opened)
        if not self._source.take(_CLOSE):
            raise self._source.error("a comma stands only in a list, as in tag:(a, b).")
        return where

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            span = Span(self._source.position - 1, self._source.position)
            raise self._source.error(f"nested more than {MAX_DEPTH} deep. Use fewer.", span)

    def _condition(self) -> Where:
        source = self._source
        found = source.take(_FIELD)
        if found is None:
            raise source.error(f"a condition is missing. {_EXAMPLE}.")
        span = Span(found.start(), found.end())
        if _KEYWORD.match(found[0]):
            raise source.error(f"a condition is missing before this. {_EXAMPLE}.", span)
        operator = source.take(_OPERATOR)
        if operator is None or (found[3] and not found[1]):
            raise source.error(f"this is no condition. {_EXAMPLE}.", span)
        name = _unquoted(found[3]) if found[3] else found[2]
        order = Order(operator["order"]) if operator["order"] else None
        term = Term(source, span, name, found[1] is not None, order, self._values(), self._now)
        where = condition_of(term)
        return Not(where) if operator["not"] else where

    def _values(self) -> tuple[Value, ...]:
        if not self._source.take(_OPEN):
            return (self._value(),)
        opened = Span(self._source.position - 1, self._source.position)
        values = [self._value()]
        while self._source.take(_COMMA):
            values.append(self._value())
        if not self._source.take(_CLOSE):
            if self._source.at_end():
                raise self._source.error("this list is never closed by ).", opened)
            raise self._source.error("a list goes on with a comma or ends with ).")
        return tuple(values)

    def _value(self) -> Value:
        source = self._source
        if quoted := source.take(_QUOTED):
            return Value(_unquoted(quoted[0]), True, Span(quoted.start(), quoted.end()))
        if source.comes(_QUOTE):
            raise source.error("this quote is never closed.")
        bare = source.take(_BARE)
        if bare is None:
            raise source.error('a value is missing. "" stands for an empty one.')
        span = Span(bare.start(), bare.end())
        if _KEYWORD.match(bare[0]):
            raise source.error(f'a value is missing. If this is it, quote it: "{bare[0]}".', span)
        return Value(bare[0], False, span)


def _unquoted(text: str) -> str:
    """What stands between quotes; a backslash takes a quote or a backslash, and no more."""
    return re.sub(rf"\\([\\{text[0]}])", r"\1", text[1:-1])
