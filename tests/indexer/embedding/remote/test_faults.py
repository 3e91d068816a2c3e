"""The error shapes of all known servers, and what becomes of hostile ones."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.embedding.remote.faults import EndpointFault, cleaned, read_error


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (
            {"error": {"message": "no such model", "type": "invalid_request_error", "code": None}},
            ("no such model", "invalid_request_error"),
        ),
        (
            {"error": {"message": "spent", "type": "x", "code": "insufficient_quota"}},
            ("spent", "insufficient_quota"),
        ),
        (
            {"error": "Model is overloaded", "error_type": "Overloaded"},
            ("Model is overloaded", "Overloaded"),
        ),
        (
            {"object": "error", "message": "too long", "type": "BadRequest", "code": 400},
            ("too long", "400"),
        ),
        ({"message": "too many", "code": 413, "type": "Validation"}, ("too many", "413")),
        ({"detail": "Not Found"}, ("Not Found", "")),
        (
            {"detail": [{"loc": ["body", "input"], "msg": "Field required"}]},
            ("body.input: Field required", ""),
        ),
        ([], ("", "")),
        ({"error": 3}, ("", "")),
        ({"detail": 3}, ("", "")),
    ],
)
def test_known_error_shapes_are_read(body: Any, found: tuple[str, str]) -> None:
    assert read_error(json.dumps(body).encode()) == found


def test_plain_text_is_the_message_and_html_is_none() -> None:
    assert read_error(b"upstream is gone\n") == ("upstream is gone", "")
    assert read_error(b"<html><title>502 Bad Gateway</title></html>") == ("", "")
    assert read_error(b"[" * 100_000)[1] == ""


@given(st.binary(max_size=60))
def test_any_body_is_read(body: bytes) -> None:
    message, code = read_error(body)
    assert cleaned(message).isprintable()
    assert isinstance(code, str)


def test_cleaned_is_one_short_printable_line_without_the_key() -> None:
    hostile = "bad key sk-1\x1b[31m\u202e\nnext " + "x" * 1000
    line = cleaned(hostile, "sk-1")
    assert line.startswith("bad key *** [31m next xxx")
    assert line.isprintable()
    assert len(line) <= 304


def test_fault_hides_a_secret() -> None:
    fault = EndpointFault("said sk-1 and sk-1")
    fault.hide("sk-1")
    assert str(fault) == "said *** and ***"
