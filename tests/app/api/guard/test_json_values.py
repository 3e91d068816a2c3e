"""Values of a JSON text, counted without parsing it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.api.guard.json_values import has_more_values

texts = st.text(alphabet=st.sampled_from('a,[{:"\\é\n'))
values = st.recursive(
    st.none() | st.integers() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=40,
)


def marks_of(value: Any) -> int:
    """Brackets, commas and colons that the value is written with."""
    if isinstance(value, dict):
        return sum(map(marks_of, value.values())) + len(value) * 2 + (not value)
    if isinstance(value, list):
        return sum(map(marks_of, value)) + len(value) + (not value)
    return 0


@settings(max_examples=60)
@given(values, st.booleans())
def test_count_is_exact_whatever_is_in_strings(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    count = marks_of(value)
    assert not has_more_values(text, count)
    if count:
        assert has_more_values(text, count - 1)


@given(st.binary())
def test_text_that_is_no_json_has_some_count(text: bytes) -> None:
    assert not has_more_values(text, len(text))
    has_more_values(text, 0)


@pytest.mark.parametrize(
    "item", [b"{},", b"[],", b'"",', b'"\\"",', b'"\\\\",', b'{"a":1},', b"1,", b"[[["]
)
def test_a_million_of_anything_is_too_many(item: bytes) -> None:
    assert has_more_values(b"[" + item * 1_000_000, 310_000)


def test_texts_full_of_marks_are_few_values() -> None:
    text = json.dumps({"input": ['a,b:"c"[{,' * 2000] * 100, "model": "minilm"}).encode()
    assert not has_more_values(text, 110)
