"""Reading texts: lines and JSON lines, exact, with the place of everything that is wrong."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli import embed_input
from app.cli.embed_input import Format, InputText, format_of, open_source, read_texts
from indexer.errors import ReadError, UsageError


def lines(data: bytes) -> list[str]:
    return [item.text for item in read_texts(io.BytesIO(data), Format.LINES, "in.txt")]


def jsonl(data: bytes) -> list[InputText]:
    return list(read_texts(io.BytesIO(data), Format.JSONL, "in.jsonl"))


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b"", []),
        (b"one", ["one"]),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\n\r\ntwo", ["one", "", "two"]),
        (b"\n\n", ["", ""]),
        (b"\xef\xbb\xbfone\n\xef\xbb\xbftwo", ["one", "\ufefftwo"]),
        (b"a\x0bb\x0c\rc\xe2\x80\xa8d\n", ["a\x0bb\x0c\rc\u2028d"]),
        (b"  spaces stay \t\n", ["  spaces stay \t"]),
    ],
)
def test_lines_are_texts_without_their_ends(data: bytes, texts: list[str]) -> None:
    assert lines(data) == texts


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"))))
def test_lines_of_any_characters_come_back(texts: list[str]) -> None:
    texts = [text.removeprefix("\ufeff") for text in texts]
    assert lines("".join(text + "\n" for text in texts).encode()) == texts


@given(st.lists(st.text()))
def test_json_lines_of_any_strings_come_back(texts: list[str]) -> None:
    data = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    assert [item.text for item in jsonl(data.encode())] == texts


def test_json_lines_keep_the_id_and_pass_over_blank_lines() -> None:
    data = (
        b'{"id": "a", "text": "one", "more": [1]}\n \n'
        b'{"_id": 7, "text": ""}\n{"text": "three", "id": {"no": "id"}}\n{"id": true, "text": "4"}'
    )
    assert jsonl(data) == [
        InputText("one", ("id", "a")),
        InputText("", ("_id", 7)),
        InputText("three"),
        InputText("4"),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"[1, 2]", "line 2 has no string under \"text\": '[1, 2]'"),
        (b'{"text": 5}', 'line 2 has no string under "text": \'{"text": 5}\''),
        (b"plain words", "line 2 is not JSON"),
        (b'{"text": "x", "score": NaN}', "NaN is no JSON value"),
        (b"[" * 200_000, "line 2 is not JSON"),
        (b'{"text": "x", "n": ' + b"1" * 5_000 + b"}", "line 2 is not JSON"),
    ],
)
def test_json_line_without_a_text_is_named_with_number_and_value(line: bytes, words: str) -> None:
    with pytest.raises(ReadError) as caught:
        jsonl(b'{"text": "fine"}\n' + line + b"\n")
    assert words in str(caught.value)
    assert "in.jsonl" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_bytes_that_are_no_text_are_named_with_their_offset() -> None:
    with pytest.raises(ReadError, match=r"in\.txt: line 2: byte 0xff at offset 6 is not UTF-8"):
        lines(b"fine\na\xffb\n")
    with pytest.raises(ReadError, match=r"line 1: byte 0xe9 at offset 6 is not UTF-8"):
        lines(b"\xef\xbb\xbfcaf\xe9")


def test_file_without_line_ends_is_refused_before_it_fills_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embed_input, "MAX_LINE_BYTES", 1 << 20)
    assert len(lines(b"x" * (1 << 20))) == 1
    with pytest.raises(ReadError, match="line 2 is longer than 1 MiB"):
        lines(b"fine\n" + b"x" * ((1 << 20) + 1))


@pytest.mark.parametrize(
    ("source", "wanted", "found"),
    [
        ("-", "auto", Format.LINES),
        ("a.txt", "auto", Format.LINES),
        ("a.JSONL", "auto", Format.JSONL),
        ("a.ndjson", "auto", Format.JSONL),
        ("a.jsonl", "lines", Format.LINES),
        ("-", "jsonl", Format.JSONL),
    ],
)
def test_format_goes_by_the_name_unless_given(source: str, wanted: str, found: Format) -> None:
    assert format_of(source, wanted) is found


def test_format_unknown_lists_those_there_are() -> None:
    with pytest.raises(UsageError, match="--format csv: there are auto, lines, jsonl"):
        format_of("a.csv", "csv")


def test_source_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(ReadError, match=r"nowhere\.txt: cannot be read"),
        open_source(str(tmp_path / "nowhere.txt")),
    ):
        pass
