"""The text of a filter, read from left to right; errors say where they are."""

import re
from dataclasses import dataclass

from indexer.errors import QueryError

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[^\s(),]+|[(),]")
_PIECE = 40  # characters of the filter that an error shows


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the text."""

    start: int
    end: int


class Source:
    """The text, and how far it has been read. Space before what is taken is skipped."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read on over the pattern, if it comes next."""
        found = pattern.match(self.text, self._next())
        if found is not None:
            self.position = found.end()
        return found

    def comes(self, pattern: re.Pattern[str]) -> bool:
        """Whether the pattern comes next."""
        return pattern.match(self.text, self._next()) is not None

    def at_end(self) -> bool:
        """Whether all is read."""
        return self._next() == len(self.text)

    def error(self, message: str, span: Span | None = None) -> QueryError:
        """An error about a piece of the text; without one, about what comes next."""
        if span is None:
            start = self._next()
            found = _WORD.match(self.text, start)
            span = Span(start, found.end() if found else start)
        if span.start >= len(self.text):
            return QueryError(f"The filter ends too early: {message}")
        piece = self.text[span.start : span.end]
        shown = piece if len(piece) <= _PIECE else f"{piece[: _PIECE - 1]}…"
        return QueryError(f"Filter, character {span.start + 1}, {shown!r}: {message}")

    def _next(self) -> int:
        found = _SPACE.match(self.text, self.position)
        return found.end() if found else self.position
