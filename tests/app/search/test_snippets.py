"""Snippets: the window with the most words of the query, its matches marked."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.search.snippets import WIDTH, Snippet, snippet

FILLER = "Nothing of note is said in this sentence. " * 20


def marked(found: Snippet) -> list[str]:
    return [found.text[start:end] for start, end in found.matches]


@pytest.mark.parametrize(
    ("text", "query", "words"),
    [
        ("Bread rises because yeast eats sugar.", "yeast sugar", ["yeast", "sugar"]),
        ("YEAST and Yeast", "yeast", ["YEAST", "Yeast"]),
        ("Placements and placement", "placement", ["Placements", "placement"]),
        ("the model was embedded", "embedding", ["embedded"]),
        ("a cat is no catalog", "cat", ["cat"]),
        (
            "\N{LATIN SMALL LIGATURE FI}le and Stra\u00dfe",
            "file STRASSE",
            ["\ufb01le", "Stra\u00dfe"],
        ),
        (
            "\u9762\u5305\u53d1\u9175\u662f\u56e0\u4e3a\u9175\u6bcd",
            "\u9175\u6bcd",
            ["\u9175\u6bcd"],
        ),
        ("snake_case and CamelCase", "snake_case", ["snake_case"]),
        ("version 3.11 of it", "3.11", ["3", "11"]),
        ("nothing here", "?! ...", []),
        ("", "word", []),
    ],
)
def test_snippet_marks_the_words_of_the_query(text: str, query: str, words: list[str]) -> None:
    found = snippet(text, query)
    assert (found.text, found.start) == (text, 0)
    assert marked(found) == words


def test_snippet_of_overlapping_pairs_is_one_mark() -> None:
    found = snippet("\u56e0\u4e3a\u9175\u6bcd\u5206\u89e3", "\u9175\u6bcd\u5206\u89e3")
    assert marked(found) == ["\u9175\u6bcd\u5206\u89e3"]


@pytest.mark.parametrize(
    ("text", "query", "words"),
    [
        ("red pie, red -- Apple, apple", '"red apple"', ["red -- Apple"]),
        ("a red\napple pie", '"red apple" pie', ["red\napple", "pie"]),
        ("yeast and sugar", "yeast -sugar", ["yeast"]),
        ("\u9175\n\u6bcd\u5206\u89e3", "\u201c\u9175\u6bcd\u201d", ["\u9175\n\u6bcd"]),
        ("red apple apple", '"red apple" "apple apple"', ["red apple apple"]),
        ("the apple is red", '"red apple"', ["apple", "red"]),  # it stands in the heading
    ],
)
def test_snippet_marks_a_phrase_whole_and_nothing_excluded(
    text: str, query: str, words: list[str]
) -> None:
    assert marked(snippet(text, query)) == words


def test_snippet_shows_the_phrase_rather_than_more_words() -> None:
    text = f"yeast sugar bread. {FILLER}The red apple fell. {FILLER}"
    found = snippet(text, 'yeast sugar bread "red apple"')
    assert marked(found) == ["red apple"]


def test_snippet_of_a_long_text_shows_the_place_with_most_different_words() -> None:
    text = f"yeast yeast yeast yeast. {FILLER}Here yeast eats sugar. {FILLER}sugar"
    found = snippet(text, "yeast sugar")
    assert "Here yeast eats sugar." in found.text
    assert marked(found) == ["yeast", "sugar"]
    assert len(found.text) <= WIDTH


def test_snippet_without_a_match_is_the_beginning_on_a_word_border() -> None:
    found = snippet(FILLER, "heron")
    assert (found.start, found.matches) == (0, ())
    assert FILLER.startswith(found.text)
    assert found.text.endswith(" ")


def test_snippet_cuts_no_word_at_either_end() -> None:
    found = snippet(f"{FILLER}heron {FILLER}", "heron")
    assert f" {found.text}".split() == found.text.split()
    words = set(FILLER.split()) | {"heron"}
    assert set(found.text.split()) <= words


WORDS = st.sampled_from(
    ["yeast", "sugar", "\u9175\u6bcd", "\U0001f469\u200d\U0001f52c", "of", "a" * 70]
)
TEXTS = st.one_of(st.text(max_size=900), st.lists(WORDS, max_size=150).map(" ".join))


QUERIES = st.lists(WORDS, max_size=4).map(" ".join)
QUERIES = st.one_of(st.text(max_size=30), QUERIES, QUERIES.map('"{}"'.format))


@given(TEXTS, QUERIES)
@example("\u0130" * 400, "i\u0307")
def test_snippet_of_any_text_keeps_its_offsets(text: str, query: str) -> None:
    found = snippet(text, query)
    assert text[found.start : found.start + len(found.text)] == found.text
    assert len(found.text) <= WIDTH
    assert not text or found.text
    ends = [0]
    for start, end in found.matches:
        assert ends[-1] <= start < end <= len(found.text)
        ends.append(end)


@given(st.text("xyz \n", max_size=600), st.text("xyz \n", max_size=600))
def test_snippet_shows_a_match_wherever_it_stands(before: str, after: str) -> None:
    found = snippet(f"{before} heron {after}", "heron")
    assert "heron" in marked(found)
