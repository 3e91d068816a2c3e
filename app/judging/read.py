"""The lines of judged sets, each checked: a figure over half-read files would mean nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexer.errors import UsageError

Qrels = dict[str, dict[str, int]]
_TREC_COLUMNS = 4


def read_documents(path: Path) -> Iterator[tuple[str, str, str]]:
    """(id, title, text) of each line of a BEIR corpus.

    Raises:
        UsageError: a line is not a document.
    """
    for number, row in _rows(path):
        yield (
            _text(row, "_id", path, number),
            row["title"] if isinstance(row.get("title"), str) else "",
            _text(row, "text", path, number, may_be_empty=True),
        )


def read_queries(path: Path) -> dict[str, str]:
    """{query id: text} in the order of the file.

    Raises:
        UsageError: a line is not a query, an id is there twice, or there is none.
    """
    queries: dict[str, str] = {}
    for number, row in _rows(path):
        identity = _text(row, "_id", path, number)
        if identity in queries:
            raise UsageError(f"{path}:{number}: query {identity!r} is there twice.")
        queries[identity] = _text(row, "text", path, number)
    if not queries:
        raise UsageError(f"{path}: holds no query.")
    return queries


def read_qrels(path: Path) -> Qrels:
    """{query id: {document id: grade}} of a BEIR file (with its header) or a TREC one.

    Raises:
        UsageError: a line is neither, contradicts another, or there is none.
    """
    qrels: Qrels = {}
    is_beir: bool | None = None
    for number, line in _lines(path):
        if is_beir is None:
            is_beir = "\t" in line and len(line.split("\t")) == _TREC_COLUMNS - 1
            if is_beir and not _is_grade(line.split("\t")[2]):
                continue  # the header
        columns = line.split("\t") if is_beir else line.split()
        expected = _TREC_COLUMNS - is_beir
        if len(columns) != expected or not _is_grade(columns[-1]):
            raise UsageError(
                f"{path}:{number}: {line[:80]!r} is no judgement. A line holds query, document and "
                "a whole grade with tabs between (BEIR), or `query 0 document grade` (TREC)."
            )
        query, document, grade = columns[0], columns[-2], int(columns[-1])
        of = qrels.setdefault(query, {})
        if of.setdefault(document, grade) != grade:
            raise UsageError(
                f"{path}:{number}: query {query!r}, document {document!r} has grade {grade} here "
                f"and {of[document]} above."
            )
    if not qrels:
        raise UsageError(f"{path}: holds no judgement.")
    return qrels


def _is_grade(text: str) -> bool:
    digits = text.strip().removeprefix("-")
    return digits.isascii() and digits.isdigit()


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, line) of those that are not blank."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 ({error.reason} at byte {error.start}).") from error


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _lines(path):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise UsageError(f"{path}:{number}: {line[:80]!r} is no JSON object.")
        yield number, row


def _text(
    row: dict[str, Any], name: str, path: Path, number: int, *, may_be_empty: bool = False
) -> str:
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and name == "_id":
        value = str(value)
    if not isinstance(value, str) or not (value.strip() or may_be_empty):
        raise UsageError(f"{path}:{number}: has no {name}, or not one that is text.")
    return value
