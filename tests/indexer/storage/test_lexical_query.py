"""What people type, read: phrases, exclusions, and everything else as words."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.storage.analysis import exact_words
from indexer.storage.lexical_query import (
    MAX_SYNTAX_CHARS,
    Constraints,
    LexicalQuery,
    literal,
    parse_query,
)


@pytest.mark.parametrize(
    ("text", "positive", "phrases", "excluded"),
    [
        ('"red apple" pie', "red apple pie", ["red apple"], []),
        ('pie "Red-Apple!"', "pie Red-Apple!", ["red apple"], []),
        ("jaguar -car", "jaguar", [], ["car"]),
        ("jaguar -foo_bar, -a.b", "jaguar", [], ["foo bar", "a b"]),
        ('jaguar -"sports car" speed', "jaguar speed", [], ["sports car"]),
        ('lists -"5"', "lists", [], ["5"]),
        ("pointer -C++", "pointer", [], ["c++"]),
        ("\u201cred apple\u201d pie", "red apple pie", ["red apple"], []),
        ("\u201eroter Apfel\u201c", "roter Apfel", ["roter apfel"], []),
        ("\u201eczerwone jab\u0142ko\u201d", "czerwone jab\u0142ko", ["czerwone jab\u0142ko"], []),
        ("la \u00ab pomme rouge \u00bb", "la pomme rouge", ["pomme rouge"], []),
        ("\u300c東京\u300dの天気", "東京 の天気", ["東 京"], []),
        ("\u300e東京\u300f", "東京", ["東 京"], []),
        ("哪家是\u201c剧院\u201d？", "哪家是 剧院 ？", ["剧 院"], []),
        ("天気\u3000-東京", "天気", [], ["東 京"]),
        ("天気 \uff0d東京", "天気", [], ["東 京"]),
        ("\uff02red apple\uff02", "red apple", ["red apple"], []),
        ('"a" "a" -b -b', "a a", ["a"], ["b"]),
        ('"a" -a', "a", ["a"], ["a"]),
    ],
)
def test_phrases_and_exclusions_are_read(
    text: str, positive: str, phrases: list[str], excluded: list[str]
) -> None:
    query = parse_query(text)
    assert query.text == positive
    assert [" ".join(phrase) for phrase in query.constraints.phrases] == phrases
    assert [" ".join(phrase) for phrase in query.constraints.excluded] == excluded


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain  words",
        "gpt-4 state-of-the-art",
        "git push --force",
        "-5 degrees",
        "exit code -1",
        "a - b",
        "-",
        "--",
        "- item",
        'a 5" pipe',
        '5" pipe and 3" tube',
        'print("hello world")',
        '"never closed',
        '"" "?!"',
        "\u201cnever closed",
        "-car",  # it would find nothing
        '-car -"sports car" ?!',
        "-\u2603 snow",
        "NOT a AND (b OR c) title:d^2~*",
        "it's 'so'",
        '"red apple" ' + "x" * MAX_SYNTAX_CHARS,
    ],
)
def test_marks_without_sense_are_characters(text: str) -> None:
    assert parse_query(text) == literal(text) == LexicalQuery(text, text, Constraints())


def test_words_outside_phrases_are_told_apart() -> None:
    assert parse_query('a "b c" d -e "f"').words == "a d"
    assert parse_query('"b c"').words == ""


SOUP = st.text(st.sampled_from("\"\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d-－＂ \t\nab東5'+#_("))
WORDS = st.lists(st.text(st.characters(categories=["L"]), min_size=1, max_size=8), max_size=5)


@given(st.one_of(SOUP, st.text(st.characters())))
@example('-"\ud800')
@example('\0-\0"a"')
def test_every_string_is_read(text: str) -> None:
    query = parse_query(text)
    if not query.constraints:
        assert query.text == query.words == text
        return
    assert exact_words(query.text)
    inside = " ".join(exact_words(query.text))
    for phrase in query.constraints.phrases:
        assert phrase
        assert " ".join(phrase) in inside
    assert all(query.constraints.excluded)


@given(WORDS, WORDS, WORDS, WORDS)
def test_written_query_is_read_as_it_was_meant(
    before: list[str], phrase: list[str], barred: list[str], after: list[str]
) -> None:
    parts = [*before, *([f'"{" ".join(phrase)}"'] if phrase else []), *(f"-{w}" for w in barred)]
    text = " ".join([*parts, *after])
    wanted = [*before, *phrase, *after]
    query = parse_query(text)
    if not wanted or not (phrase or barred) or len(text) > MAX_SYNTAX_CHARS:
        return
    if not exact_words(" ".join(wanted)):
        assert not query.constraints
        return
    assert query.text == " ".join(wanted)
    assert query.words == " ".join([*before, *after])
    exact = exact_words(" ".join(phrase))
    assert query.constraints.phrases == ((tuple(exact),) if exact else ())
    expected = dict.fromkeys(tuple(exact_words(word)) for word in barred)
    assert query.constraints.excluded == tuple(expected)
