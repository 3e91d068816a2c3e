"""What reaches a terminal or a pipe, whatever its encoding and whatever the names hold."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.output import duration, mebibytes, print_json, print_line, printable, shown_path, table
from tests_support import Cli, Indexed

ODD = "caf\u00e9 \u6587\u6863 \U0001f600 \udcff"


def written(monkeypatch: pytest.MonkeyPatch, encoding: str, value: object) -> str:
    """What `print_json` (or `print_line` for a text) writes to a stdout of this encoding."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    if isinstance(value, str):
        print_line(value)
    else:
        print_json(value)
    sys.stdout.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii", "shift_jis"])
def test_json_is_valid_in_every_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    assert json.loads(written(monkeypatch, encoding, {"name": ODD})) == {"name": ODD}


def test_json_stays_readable_where_the_encoding_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\u6587\u6863" in written(monkeypatch, "utf-8", {"name": "\u6587\u6863"})


def test_line_escapes_what_the_encoding_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = "caf\u00e9 \\u6587\\u6863 \\U0001f600 \\udcff\n"
    assert written(monkeypatch, "cp1252", ODD) == expected
    assert written(monkeypatch, "utf-8", "caf\u00e9 \u6587") == "caf\u00e9 \u6587\n"


@pytest.mark.skipif(os.name == "nt", reason="arguments are text there")
def test_search_for_bytes_that_are_no_text_answers_in_json(indexed: Indexed) -> None:
    """The query is repeated in the answer: printing it failed with a traceback."""
    environment = {**os.environ, "SEMSEARCH_HOME": str(indexed.home)}
    command = [sys.executable, "-c", "from app.cli.main import main; main()"]
    query = [b"search", b"yeast \xff", b"--mode", b"lexical", b"--json"]
    done = subprocess.run([*command, *query], capture_output=True, env=environment)
    assert done.stderr == b""
    answer = json.loads(done.stdout)
    assert answer["query"] == "yeast \udcff"
    assert [Path(hit["document"]["path"]).name for hit in answer["hits"]] == ["bread.md"]


def test_error_about_a_hostile_name_is_escaped(cli: Cli, tmp_path: Path) -> None:
    ran = cli("index", str(tmp_path / "a\x1b[2J\u202eb"), "--model", "minilm")
    assert ran.code == 2
    assert "a\\x1b[2J\\u202eb" in ran.err
    assert "\x1b" not in ran.err


@given(st.text())
def test_printable_has_nothing_that_moves_the_cursor(text: str) -> None:
    shown = printable(text)
    assert all(c.isprintable() or c.isspace() or c in "\u200c\u200d" or ord(c) > 127 for c in shown)
    assert not set(shown) & {"\x1b", "\n", "\r", "\x07", "\u202e", "\u2066", "\u2028", "\x9b"}


def test_shown_path_is_relative_below_the_current_folder_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    assert shown_path(os.fsencode(tmp_path / "docs" / "a.md")) == "a.md"
    assert shown_path(str(tmp_path / "docs2" / "a.md")) == str(tmp_path / "docs2" / "a.md")
    assert shown_path(b"/x/\xff\x1b.md") == "/x/\\xff\\x1b.md"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 KiB"), (1536, "2 KiB"), (5 << 20, "5.0 MiB"), (3 << 30, "3.00 GiB")]
)
def test_mebibytes(size: int, text: str) -> None:
    assert mebibytes(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (1e5, "27 h 46 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_table_aligns_columns_without_trailing_space() -> None:
    assert table([["a", "long"], ["bbb", ""]]) == ["a    long", "bbb"]
    assert table([]) == []
