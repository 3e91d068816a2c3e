"""What a person types, read as words, phrases and exclusions; see docs/decisions/0018.

- `"exact phrase"` must be there; “ ” „ “ « » 「 」 『 』 serve as well
- `-word` and `-"exact phrase"` must not be there
- everything else is words, of which the more the better

A mark that makes no sense is a character like any other, never an error: a quote that is not closed
or stands inside a word (`5" pipe`, `print("x")`), a minus inside a word (`gpt-4`), alone, twice
(`--flag`) or before a digit (`-5 degrees`; `-"5"` leaves out fives).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from indexer.storage.analysis import exact_words

# What is longer is a pasted passage, with the quotes and dashes of its author: all of it is words.
MAX_SYNTAX_CHARS = 512

Phrase = tuple[str, ...]  # of `exact_words`, at least one

_QUOTED = '["＂]([^"＂]*)["＂]'
_PAIRED = "“([^”]*)”|„([^“”]*)[“”]|«([^»]*)»|「([^」]*)」|『([^』]*)』"  # noqa: RUF001 - as typed
_SIGN = "(?<!\\S)[-－]"  # noqa: RUF001 - the second is what Chinese and Japanese keyboards give
_SYNTAX = re.compile(
    rf"(?P<sign>{_SIGN})(?:{_QUOTED}|{_PAIRED}|([^\W\d_]\S*))|(?:(?<!\S){_QUOTED}|{_PAIRED})"
)


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a chunk must hold and must not hold, in its text, headings, title or file name."""

    phrases: tuple[Phrase, ...] = ()
    excluded: tuple[Phrase, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.phrases or self.excluded)


UNCONSTRAINED = Constraints()


@dataclass(frozen=True, slots=True)
class LexicalQuery:
    """A query, read."""

    text: str  # all that is looked for, without marks: what is ranked by, and embedded
    words: str  # the part of `text` outside the phrases
    constraints: Constraints


def literal(text: str) -> LexicalQuery:
    """A query that is nothing but words."""
    return LexicalQuery(text, text, UNCONSTRAINED)


@lru_cache(maxsize=64)  # one query is read by each step of its search, and for each snippet
def parse_query(text: str) -> LexicalQuery:
    """Any string as a query. One without phrases and exclusions keeps its text as it is.

    A query of exclusions alone looks for their words: it would find nothing otherwise, and is more
    often a list or a flag than a wish for everything else.
    """
    if len(text) > MAX_SYNTAX_CHARS:
        return literal(text)
    wanted: list[str] = []
    words: list[str] = []
    phrases: dict[Phrase, None] = {}
    excluded: dict[Phrase, None] = {}
    at = 0
    for match, phrase in _marked(text):
        between = text[at : match.start()]
        at = match.end()
        wanted.append(between)
        words.append(between)
        if match["sign"]:
            excluded[phrase] = None
        else:
            phrases[phrase] = None
            wanted.append(_inside(match))
    constraints = Constraints(tuple(phrases), tuple(excluded))
    positive = _joined([*wanted, text[at:]])
    if not constraints or not exact_words(positive):
        return literal(text)
    return LexicalQuery(positive, _joined([*words, text[at:]]), constraints)


def _marked(text: str) -> Iterator[tuple[re.Match[str], Phrase]]:
    """Phrases and exclusions that hold a word, in order."""
    for match in _SYNTAX.finditer(text):
        phrase = tuple(exact_words(_inside(match)))
        if phrase:
            yield match, phrase


def _inside(match: re.Match[str]) -> str:
    return next(group for group in match.groups()[1:] if group is not None)


def _joined(parts: list[str]) -> str:
    """With single spaces, as marks that are gone leave two behind."""
    return " ".join(" ".join(parts).split())
