"""Queries to judge: from arguments and files, each once, under the id it is stored with."""

import re
from pathlib import Path

import pytest

from app.judging.store import Judgements, query_id
from app.judging.wanted import wanted_queries
from indexer.errors import QueryError, SemsearchError, UsageError

NOTHING = Judgements({}, {})


def test_wanted_are_each_once_on_one_line(tmp_path: Path) -> None:
    file = tmp_path / "queries.txt"
    file.write_text("\ufeffwhy  rise?\n\n when ring? \n", encoding="utf-8")
    wanted = wanted_queries(["when\nring?"], file, NOTHING)
    assert wanted == [(query_id(text), text) for text in ("when ring?", "why rise?")]


def test_wanted_keep_the_ids_of_a_file_and_of_what_was_judged(tmp_path: Path) -> None:
    file = tmp_path / "queries.jsonl"
    file.write_text('{"_id": "7", "text": "why?"}\n{"_id": "8", "text": "when?"}\n')
    known = Judgements({"old": "when?"}, {"old": {"a.md": 1}})
    assert wanted_queries([], file, known) == [("7", "why?"), ("old", "when?")]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('{"_id": "a b", "text": "why?"}', "white space"),
        ('{"_id": "old", "text": "why?"}', "that of 'when?'"),
        ('{"_id": "1", "text": ""}', "queries:1"),
        ("", "no query"),
        ('{"_id": "1"', "no JSON object"),
    ],
)
def test_wanted_refuse_a_file_that_would_mix_queries(
    tmp_path: Path, lines: str, words: str
) -> None:
    file = tmp_path / "queries"
    file.write_text(lines)
    with pytest.raises(UsageError, match=re.escape(words)):
        wanted_queries([], file, Judgements({"old": "when?"}, {}))


@pytest.mark.parametrize("text", ["  ", "x" * 40_000, "caf\udce9"])
def test_wanted_refuse_what_is_no_query(text: str) -> None:
    with pytest.raises(QueryError):
        wanted_queries([text], None, NOTHING)


def test_wanted_name_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"caf\xe9\n")
    for name in ("latin", "missing"):
        with pytest.raises(SemsearchError, match=name):
            wanted_queries([], tmp_path / name, NOTHING)
