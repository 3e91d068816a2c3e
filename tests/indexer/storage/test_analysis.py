import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.storage.analysis import (
    MAX_TERM_CHARS,
    compound_prefixes,
    compound_terms,
    exact_spans,
    exact_words,
    guess_language,
    index_terms,
    query_terms,
)


@pytest.mark.parametrize(
    ("text", "language", "terms"),
    [
        ("Running shoes", "english", "running run shoes shoe"),
        ("gpt-4", "english", "gpt-4 gpt 4"),
        ("foo_bar", "", "foo_bar foo bar"),
        ("camelCase", "", "camelcase camel case"),
        ("HTTPServer2", "", "httpserver2 http server 2"),
        ("std::vector", "", "std::vector std vector"),
        ("C++ and C# and C", "", "c++ c and c# c and c"),
        ("café", "", "café cafe"),
        ("Straße", "", "strasse"),
        ("ＦＵＬＬ ﬁne", "", "full fine"),
        ("北京天", "", "北 京 天 北京 京天"),
        ("中", "", "中"),
        ("タワー", "", "タ ワ ー タワ ワー"),
        ("ภาษา", "", "ภ า ษ า ภา าษ ษา"),
        ("नमस्ते दुनिया", "", "नमस्ते दुनिया"),
        ("👍 ok", "", "👍 ok"),
        (" \0 \t ...", "", ""),
    ],
)
def test_index_terms_of_text_are_these(text: str, language: str, terms: str) -> None:
    found = index_terms(text, language).split()
    assert [term for term in terms.split() if term not in found] == []
    if language == "" and text != "नमस्ते दुनिया":
        assert found == terms.split()


def test_index_terms_of_endless_word_are_cut() -> None:
    assert index_terms("x" * 10_000, "english") == "x" * MAX_TERM_CHARS


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The cat sat on the mat and it was happy that day", "english"),
        ("Le chat est sur la table et il ne mange pas dans la rue", "french"),
        ("Der Hund und die Katze sind nicht auf dem Tisch", "german"),
        ("El perro y el gato no se ven por las calles", "spanish"),
        ("Это русский текст о кошках", "russian"),
        ("我爱北京天安门 API", ""),
        ("def f(de: Any, i: Any) -> Any: return de", "english"),
        ("12 345", ""),
        ("", ""),
    ],
)
def test_guess_language_by_script_and_common_words(text: str, language: str) -> None:
    assert guess_language([text]) == language


def test_query_terms_use_every_language_of_the_collection() -> None:
    groups = query_terms("running maisons running", ["english", "french"])
    assert len(groups) == 2
    assert {"running", "run"} <= set(groups[0])
    assert {"maisons", "maison"} <= set(groups[1])


def test_query_terms_of_unspaced_script_are_pairs_and_of_one_character_itself() -> None:
    assert query_terms("北京天", []) == [("北京",), ("京天",)]
    assert query_terms("北", []) == [("北",)]


@given(st.text(alphabet=st.characters(), max_size=60))
def test_every_string_is_a_query_and_its_terms_fit_the_index(text: str) -> None:
    for group in query_terms(text, ["english", "russian"]):
        assert group
        for term in group:
            assert term == "".join(term.split())
            assert 0 < len(term) <= 2 * MAX_TERM_CHARS
            term.encode()


@given(st.text(max_size=80), st.sampled_from(["", "english", "german", "hindi"]))
def test_every_word_of_a_text_finds_the_text(text: str, language: str) -> None:
    indexed = set(index_terms(text, language).split())
    for group in query_terms(text, [language]):
        assert indexed & set(group)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Red-Apple, pie!", "the red apple pie"),
        ("foo_bar gpt-4 a.b::c", "foo bar gpt 4 a b c"),
        ("C++ c# C i++", "c++ c# c i++"),
        ("Stra\u00dfe CAF\u00c9 cafe\u0301", "strasse caf\u00e9 caf\u00e9"),
        ("北京\n天API", "北 京 天 api"),
        ("ＦＵＬＬ \ufb01ne", "full fine"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("ok \U0001f44d", "ok \U0001f44d"),
        ("\ud800 \0 ?!", ""),
    ],
)
def test_exact_words_are_those_written(text: str, words: str) -> None:
    assert exact_words(text) == words.split()


@given(st.text(max_size=60), st.text(max_size=60))
def test_exact_words_and_terms_split_alike(before: str, after: str) -> None:
    text = f"{before} {after}"
    words = exact_words(text)
    assert [word for word in words if word.split() != [word]] == []
    assert exact_words(f"{text} \u4e2d") == [*words, "\u4e2d"]  # by either expression
    for word, start, end in exact_spans(text):
        assert word in exact_words(text[start:end])


def test_compounds_are_found_by_their_ends_in_languages_that_write_them_as_one_word() -> None:
    terms = compound_terms("Die Datenbankverbindungen, Datenbankverbindungen und Haus", "german")
    assert terms == "datenbankverbind <dnibrevknabnetad"
    assert compound_terms("worldwide database", "english") == ""
    assert compound_prefixes("verbindung", ["german", "english", ""]) == ["verbind", "<dnibrev"]
    assert compound_prefixes("datenbanken", ["german"]) == ["datenbank", "<knabnetad"]
    for word, language in [("rat", "german"), ("worlds", "english"), ("gpt-4", "german")]:
        assert compound_prefixes(word, [language]) == []
