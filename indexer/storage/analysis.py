"""Text to lexical terms, for chunks and queries alike; a new rule needs a new `ANALYSIS_VERSION`.

Words are kept whole and stemmed by language; compounds and identifiers (`gpt-4`, `foo_bar`,
`camelCase`, `std::vector`, `C++`) are kept whole and split; scripts written without spaces become
bigrams; accents are folded as an alternative. For phrases and exclusions there is a second, exact
form, and compounds can be looked up by their first and last part. Terms hold no white space, so a
list of them is passed on as one string.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import islice
from typing import Any

from indexer.storage.languages import COMPOUNDING, SCRIPTS, WORD_LANGUAGES

ANALYSIS_VERSION = 2
MAX_TERM_CHARS = 100  # longer runs (base64, minified code) are cut: tantivy drops terms over 64 KiB
_GUESS_CHARS = 2_000
_LEAST_VOTES = 3  # different common words of a language before it is believed
_CACHED_CHARS = 40
_LEAST_COMPOUND = 8  # letters of a word that may be made of two
_LEAST_PART = 4  # letters of a word that is looked for in compounds
_LAST = "<"  # before a compound spelt backwards, to be found by its last part

# Han, kana, hangul, and the scripts of South-East Asia that set no spaces between words.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b16f"
    "\U00020000-\U0003ffff"
)
# Marks inside words that Python's \w leaves out: accents, points, Indic vowel signs.
_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06ed\u0711\u0730-\u074a\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u0980-\u0dff"
)
_EMOJI = "\u2190-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_WORD = rf"[^\W{_UNSPACED}]+(?:[{_MARKS}]+[^\W{_UNSPACED}]*)*"
_TOKEN = re.compile(rf"[{_UNSPACED}]+|{_WORD}(?:(?:::|->|[-.'’@&]){_WORD})*(?:\+\+|#)?|[{_EMOJI}]")
_PART = re.compile(rf"[^\W_]+(?:[{_MARKS}]+[^\W_]*)*")
_EXACT = re.compile(
    rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+(?:[{_MARKS}]+[^\W_{_UNSPACED}]*)*(?:\+\+|#)?|[{_EMOJI}]"
)
_EXACT_ASCII = re.compile(r"[a-z0-9]+(?:\+\+|#)?")  # the same for ASCII, faster
_PLAIN = re.compile(rf"(?:[^\W\d_]|[{_MARKS}])+")
_LONG = re.compile(rf"[^\W\d_]{{{_LEAST_COMPOUND},}}")
_CASE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_UNSPACED_CHAR = re.compile(rf"[{_UNSPACED}]")
_GUESS_WORD = re.compile(r"[^\W\d_]+")
_SCRIPT_LETTERS = [(re.compile(f"[{first}-{last}]"), name) for first, last, name in SCRIPTS]


def index_terms(text: str, language: str) -> str:
    """Terms of a chunk in order, joined by single spaces.

    Args:
        text: any text.
        language: name of a stemmer as `guess_language` gives it, "" for none.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join([_terms(token, language) for token in _TOKEN.findall(text)])


def query_terms(text: str, languages: Iterable[str]) -> list[tuple[str, ...]]:
    """What to look for: one group of alternatives per distinct word, in order of appearance.

    Args:
        text: any string, also with lone surrogates or NUL.
        languages: stemmers in use by the collection.
    """
    groups: dict[tuple[str, ...], None] = {}
    wanted = sorted(set(languages) | {""})
    for token in _TOKEN.findall(unicodedata.normalize("NFKC", text)):
        run = len(token) > 1 and _UNSPACED_CHAR.match(token)
        if run:
            for gram in _grams(token):
                if len(gram) > 1:
                    groups.setdefault((gram,))
            continue
        terms = [term for language in wanted for term in _terms(token, language).split()]
        groups.setdefault(tuple(dict.fromkeys(terms)))
    return list(groups)


def exact_words(text: str) -> list[str]:
    """Words as they are written but for case and form, in order: what phrases are made of.

    There are no stems; identifiers are in parts, so that `foo_bar` is the phrase "foo bar"; scripts
    without spaces are in characters, so that a line break inside a word does not matter.
    """
    if text.isascii():
        words = _EXACT_ASCII.findall(text.lower())
    else:
        words = _EXACT.findall(_fold_case(unicodedata.normalize("NFKC", text)))
    return [word[:MAX_TERM_CHARS] for word in words]


def exact_spans(text: str) -> list[tuple[str, int, int]]:
    """(exact word, start, end) of a text's words, offsets in the text as it is given."""
    return [
        (word, match.start(), match.end())
        for match in _EXACT.finditer(text)
        for word in exact_words(match.group())
    ]


def compound_terms(text: str, language: str) -> str:
    """Terms that find the long words of a text by how they begin and end; "" for most languages."""
    if language not in COMPOUNDING:
        return ""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    # Each word once: whether a chunk holds a compound counts, not how often.
    long = dict.fromkeys(_LONG.findall(text))
    return " ".join([_compound_terms(word[:MAX_TERM_CHARS], language) for word in long])


def compound_prefixes(word: str, languages: Iterable[str]) -> list[str]:
    """What terms of compounds that begin or end with a word begin with; [] for a short word."""
    if len(word) < _LEAST_PART or not _PLAIN.fullmatch(word):
        return []
    stems = {_stem(word, language) for language in COMPOUNDING.intersection(languages)}
    long = sorted(stem for stem in stems if len(stem) >= _LEAST_PART)
    return [prefix for stem in long for prefix in (stem, _LAST + stem[::-1])]


def guess_language(texts: Iterable[str]) -> str:
    """Stemmer that fits a document by its script and commonest words; "" if none does."""
    sample = "".join(islice((text[:_GUESS_CHARS] for text in texts), 4))[:_GUESS_CHARS]
    if not sample.isascii():
        if len(_UNSPACED_CHAR.findall(sample)) * 4 > len(sample):
            return ""
        for letters, language in _SCRIPT_LETTERS:
            if len(letters.findall(sample)) * 2 > len(sample):
                return language
    words = set(_GUESS_WORD.findall(sample.casefold()))
    votes = Counter(language for word in words for language in WORD_LANGUAGES.get(word, ()))
    # Ties go to the name that sorts first, so that the guess depends on the text alone.
    best = min(votes, key=lambda language: (-votes[language], language), default="")
    if votes[best] >= _LEAST_VOTES:
        return best
    # Code, names, a line or two: English stems serve identifiers and harm little else.
    return "english" if any(word.isascii() for word in words) else ""


def _terms(token: str, language: str) -> str:
    if len(token) > _CACHED_CHARS:
        return _expand(token, language)
    return _cached_terms(token, language)


@lru_cache(maxsize=1 << 16)
def _cached_terms(token: str, language: str) -> str:
    return _expand(token, language)


def _expand(token: str, language: str) -> str:
    if _UNSPACED_CHAR.match(token):
        return " ".join(_grams(token))
    whole = _fold_case(token)
    if _PLAIN.fullmatch(token) and not _has_inner_capital(token):
        return " ".join(_forms(whole, language))
    terms = dict.fromkeys([whole[:MAX_TERM_CHARS]])
    for part in _PART.findall(token):
        terms.update(dict.fromkeys(_forms(_fold_case(part), language)))
        pieces = _CASE.findall(part) if part.isascii() else []
        if len(pieces) > 1:
            for piece in pieces:
                terms.update(dict.fromkeys(_forms(piece.lower(), language)))
    return " ".join(terms)


@lru_cache(maxsize=1 << 16)
def _compound_terms(word: str, language: str) -> str:
    stem = _stem(_fold_case(word), language)
    return f"{stem} {_LAST}{stem[::-1]}"


def _has_inner_capital(token: str) -> bool:
    return not (token.islower() or token[1:].islower() or token.isupper())


def _fold_case(text: str) -> str:
    folded = text.casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFKC", folded)


def _forms(word: str, language: str) -> list[str]:
    """The word, its stem, and both without accents, where they differ."""
    word = word[:MAX_TERM_CHARS]
    forms = dict.fromkeys([word, _stem(word, language)])
    if not word.isascii():
        forms.update(dict.fromkeys([_fold_accents(form) for form in forms]))
    return [form for form in forms if form]


def _fold_accents(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


def _grams(run: str) -> list[str]:
    """Single characters and pairs, so that one character and parts of words are found."""
    return [*run, *(run[i : i + 2] for i in range(len(run) - 1))]


def _stem(word: str, language: str) -> str:
    if not language or len(word) < 3:
        return word
    stemmed: str = _stemmer(language).stemWord(word)
    return stemmed


@cache
def _stemmer(language: str) -> Any:
    import Stemmer

    stemmer = Stemmer.Stemmer(language)
    stemmer.maxCacheSize = 0  # ours caches whole expansions
    return stemmer
