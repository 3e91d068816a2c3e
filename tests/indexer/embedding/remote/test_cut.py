"""Texts are cut here, at a token's end, so that a server never truncates by its own rule."""

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.embedding.remote.cut import cut_inputs, windows
from indexer.embedding.remote.grouping import group
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import Tokenizer, load_tokenizer
from indexer.types import Kind


@pytest.fixture(scope="module")
def short(tiny_spec: ModelSpec) -> Tokenizer:
    """The tiny model, but for texts of 16 tokens with EOS."""
    return load_tokenizer(replace(tiny_spec, max_tokens=16))


@pytest.fixture(scope="module")
def short_minilm(minilm_spec: ModelSpec) -> Tokenizer:
    return load_tokenizer(replace(minilm_spec, max_tokens=16))


def test_prompt_goes_in_front_of_a_query(tiny_tokenizer: Tokenizer) -> None:
    [made] = cut_inputs(tiny_tokenizer, ["what is it?"], Kind.QUERY, "Find the file")
    assert made.text == "Instruct: Find the file\nQuery:what is it?"
    assert made.tokens == len(
        tiny_tokenizer.encode(["what is it?"], Kind.QUERY, "Find the file")[0]
    )


def test_document_within_the_limit_goes_as_it_is(short: Tokenizer) -> None:
    text = "  the index is here\n"
    [made] = cut_inputs(short, [text], Kind.DOCUMENT, first_row=7)
    assert (made.row, made.text) == (7, text)
    assert made.tokens == short.count([text])[0]


def test_long_document_ends_where_its_last_token_ends(short: Tokenizer) -> None:
    text = "the index " * 50
    [made] = cut_inputs(short, [text], Kind.DOCUMENT)
    assert text.startswith(made.text)
    assert made.tokens == 16
    assert short.encode([made.text], Kind.DOCUMENT) == short.encode([text], Kind.DOCUMENT)


def test_cut_never_splits_a_character(short: Tokenizer) -> None:
    """Each emoji is four byte tokens, of which 15 do not make whole characters."""
    [made] = cut_inputs(short, ["\U0001f600" * 20], Kind.DOCUMENT)
    assert made.text == "\U0001f600" * 3
    assert made.tokens == short.count([made.text])[0] == 13


class Fickle:
    """One token a letter; a text that ends in one of these comes apart into twice as many."""

    max_tokens = 4
    special_counts = (0, 0)

    def __init__(self, falls_apart: str) -> None:
        self.falls_apart = falls_apart

    def prompt(self, kind: Kind, instruction: str | None = None) -> str:
        return ""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        found = [(n, n + 1) for n in range(len(text))]
        return found * 2 if text.endswith(tuple(self.falls_apart)) else found

    def encode(
        self, texts: list[str], kind: Kind, instruction: str | None = None
    ) -> list[list[int]]:
        return [[0] * min(len(self.offsets(text)), 4) for text in texts]


@pytest.mark.parametrize(("falls_apart", "kept"), [("", "abcd"), ("d", "abc"), ("abcd", "ab")])
def test_prefix_that_falls_apart_gives_way_to_a_shorter_one(falls_apart: str, kept: str) -> None:
    [made] = cut_inputs(cast(Tokenizer, Fickle(falls_apart)), ["abcdefgh"], Kind.DOCUMENT)
    assert made.text == kept
    assert made.tokens <= 4


def test_lone_surrogate_becomes_the_replacement_character(short: Tokenizer) -> None:
    [made] = cut_inputs(short, ["a\ud800b"], Kind.DOCUMENT)
    assert made.text == "a\ufffdb"


@pytest.mark.parametrize("name", ["short", "short_minilm"])
@settings(deadline=None)
@given(texts=st.lists(st.text(max_size=80), max_size=4))
def test_cut_text_fits_and_is_a_prefix(
    request: pytest.FixtureRequest, name: str, texts: list[str]
) -> None:
    tokenizer: Tokenizer = request.getfixturevalue(name)
    for text, made in zip(texts, cut_inputs(tokenizer, texts, Kind.DOCUMENT), strict=True):
        assert text.startswith(made.text)
        assert made.tokens == tokenizer.count([made.text])[0] <= 16
        if tokenizer.count([text])[0] <= 16:
            assert made.text == text


@given(
    st.lists(st.text(max_size=30), max_size=30),
    st.integers(min_value=1, max_value=5),
    st.integers(min_value=1, max_value=40),
)
def test_windows_cover_every_row_once(texts: list[str], max_texts: int, max_chars: int) -> None:
    found = list(windows(texts, max_texts, max_chars))
    assert [row for rows in found for row in rows] == list(range(len(texts)))
    for rows in found:
        assert 1 <= len(rows) <= max_texts
        assert len(rows) == 1 or sum(len(texts[row]) for row in rows) <= max_chars


@settings(deadline=None)
@given(
    st.lists(st.text(alphabet="ab ", max_size=60), max_size=30),
    st.integers(min_value=1, max_value=5),
    st.integers(min_value=1, max_value=60),
)
def test_group_takes_every_text_once_within_bounds(
    tiny_tokenizer: Tokenizer, texts: list[str], max_texts: int, max_tokens: int
) -> None:
    inputs = cut_inputs(tiny_tokenizer, texts, Kind.DOCUMENT)
    requests = list(group(inputs, max_texts, max_tokens))
    assert sorted(row for request in requests for row in request.rows) == list(range(len(texts)))
    for request in requests:
        assert 1 <= len(request.inputs) <= max_texts
        assert len(request.inputs) == 1 or request.tokens <= max_tokens
    lengths = [item.tokens for request in requests for item in request.inputs]
    assert lengths == sorted(lengths, reverse=True)


def test_text_without_a_token_is_asked_of_nobody(tiny_tokenizer: Tokenizer) -> None:
    made = cut_inputs(tiny_tokenizer, ["a", "b"], Kind.DOCUMENT)
    [request] = group([made[0], replace(made[1], tokens=0)], 32, 100)
    assert request.rows == [0]
