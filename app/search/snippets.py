"""The stretch of a chunk that best shows why it was found, with words and phrases marked."""

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

import regex

from indexer.storage.analysis import exact_spans
from indexer.storage.languages import STOPWORDS
from indexer.storage.lexical_query import Phrase, parse_query

# About three terminal lines: enough to judge a hit, short enough for ten of them on one screen.
WIDTH = 240
_WORD = regex.compile(r"[\p{L}\p{N}_]+")
_ASCII_WORD = re.compile(r"[A-Za-z0-9_]+")  # the same of plain text, three times as fast
# Scripts without spaces: a run is matched by its pairs of characters, as the lexical copy does.
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+")
_QUESTION_WORDS = (
    "a an are can could did do does has how i if into less many may me more much must my need no "
    "not should so some than their them there they was we what when where which who why will you"
)
_COMMON = frozenset(" ".join([_QUESTION_WORDS, *STOPWORDS.values()]).split())
# Front matter is found like any text, but shows a reader nothing they would call a passage.
_FRONT_MATTER = regex.compile(r"\A---\r?\n.*?\n---\r?\n\s*", regex.DOTALL)


_SAME_CHARS = 4  # with which two forms of a word begin
_PHRASE = -1  # in place of a word's number, for a phrase
_PHRASE_COUNTS = 100  # words: a window without the phrase that was asked for shows nothing


@dataclass(frozen=True, slots=True)
class Snippet:
    """`text` is `chunk.text[start:start + len(text)]`.

    `matches` are (start, end) in code points of `text`.
    """

    text: str
    start: int
    matches: tuple[tuple[int, int], ...]


def snippet(text: str, query: str, width: int = WIDTH) -> Snippet:
    """The window of at most `width` code points with the most different words of the query.

    A phrase in quotes counts more than words, and its words are marked together, elsewhere not.
    """
    header = _FRONT_MATTER.match(text)
    skipped = header.end() if header and header.end() < len(text) else 0
    body = text[skipped:]
    found = _matches(body, query)
    start, end = _window(body, found, width)
    marks = tuple((a - start, b - start) for a, b, _ in found if a >= start and b <= end)
    return Snippet(body[start:end], skipped + start, marks)


def _fold(word: str) -> str:
    return word.lower() if word.isascii() else unicodedata.normalize("NFKC", word).casefold()


def _same_word(word: str, wanted: str) -> bool:
    """Equal, or the same beginning with a short different ending: placements ~ placement.

    Either way the first `_SAME_CHARS` are the same.
    """
    if word == wanted:
        return True
    shorter, longer = sorted((word, wanted), key=len)
    stem = max(_SAME_CHARS, len(shorter) - 2)
    is_long = len(shorter) >= _SAME_CHARS
    return is_long and len(longer) - stem <= 4 and shorter[:stem] == longer[:stem]


@lru_cache(maxsize=256)  # one query is asked of every passage of its answer
def _wanted(query: str) -> tuple[dict[str, list[tuple[int, str]]], list[str], int]:
    """({beginning: [(number, folded word)]}, pairs of characters without spaces, how many words).

    These are worth marking. Common words are left out, unless the query has no others: to mark
    every "the" hides the rest.
    """
    words: list[str] = []
    pairs: list[str] = []
    for word in _WORD.findall(query):
        for run in _UNSPACED.findall(word):
            pairs += [run[i : i + 2] for i in range(max(1, len(run) - 1))]
        words += [_fold(part) for part in _UNSPACED.split(word) if part]
    telling = [word for word in words if word not in _COMMON]
    chosen = telling if telling or pairs else words
    by_beginning: dict[str, list[tuple[int, str]]] = {}
    for number, word in enumerate(chosen):
        by_beginning.setdefault(word[:_SAME_CHARS], []).append((number, word))
    return by_beginning, pairs, len(chosen)


def _matches(text: str, query: str) -> list[tuple[int, int, int]]:
    """(start, end, number of the query's word) of every match, in order, without overlaps."""
    asked = parse_query(query)
    found = _phrases(text, asked.constraints.phrases)
    # A phrase may stand in a heading: then its words are all there is to show.
    spaced, pairs, count = _wanted(asked.words if found else asked.text)
    for m in (_ASCII_WORD if text.isascii() else _WORD).finditer(text):
        word = _fold(m.group())
        for number, wanted in spaced.get(word[:_SAME_CHARS], ()):
            if _same_word(word, wanted):
                found.append((m.start(), m.end(), number))
    for number, pair in enumerate(pairs, start=count):
        at = text.find(pair)
        while at >= 0:
            found.append((at, at + len(pair), number))
            at = text.find(pair, at + 1)
    return _without_overlaps(sorted(found))


def _phrases(text: str, phrases: tuple[Phrase, ...]) -> list[tuple[int, int, int]]:
    """(start, end, `_PHRASE`) of every phrase."""
    if not phrases:
        return []
    spans = exact_spans(text)
    words = [word for word, _, _ in spans]
    return [
        (spans[i][1], spans[i + len(phrase) - 1][2], _PHRASE)
        for phrase in phrases
        for i, word in enumerate(words)
        if word == phrase[0] and tuple(words[i : i + len(phrase)]) == phrase
    ]


def _without_overlaps(found: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    kept: list[tuple[int, int, int]] = []
    for start, end, number in found:
        if kept and start < kept[-1][1]:
            kept[-1] = (kept[-1][0], max(end, kept[-1][1]), min(number, kept[-1][2]))
        else:
            kept.append((start, end, number))
    return kept


def _window(text: str, found: list[tuple[int, int, int]], width: int) -> tuple[int, int]:
    """Bounds of the best window, on word borders where there are any."""
    if len(text) <= width:
        return 0, len(text)
    best_start, best_count = 0, 0
    starts = [start for start, _, _ in found]
    for i, start in enumerate(starts):
        inside = found[i : bisect_left(starts, start + width * 3 // 4)]
        numbers = {number for _, _, number in inside}
        count = len(numbers) + (_PHRASE_COUNTS if _PHRASE in numbers else 0)
        if count > best_count:
            best_start, best_count = start, count
    start = max(0, min(best_start - width // 4, len(text) - width))
    end = min(len(text), start + width)
    return _to_border(text, start, forward=True), _to_border(text, end, forward=False)


def _to_border(text: str, at: int, *, forward: bool) -> int:
    """The nearest space within a word's length, so that no word is cut; else the place itself."""
    if at in (0, len(text)):
        return at
    nearby = range(at, min(len(text), at + 20)) if forward else range(at, max(0, at - 20), -1)
    for place in nearby:
        if text[place - 1].isspace():
            return place
    return at
