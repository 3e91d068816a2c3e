"""Every example of docs/filters.md is read as what the page says."""

import re
from pathlib import Path as FilePath

import pytest

from app.search.where import MAX_CHARS, MAX_DEPTH, parse_where
from indexer.errors import QueryError
from indexer.storage.filters.glob import matchable, path_matcher
from indexer.storage.filters.where import MAX_CONDITIONS, Path

PAGE = (FilePath(__file__).parents[4] / "docs/filters.md").read_text(encoding="utf-8")
CODE = [code.replace("\\|", "|") for code in re.findall(r"`([^`\n]+)`", PAGE)]
EXAMPLES = [
    code for code in CODE if re.search(r"[a-z][\w.\"]*(?::.|[<>=]+\w)", code) and " `" not in code
]
REFUSED = {"langauge:de"}


def test_the_page_is_full_of_examples() -> None:
    assert len(EXAMPLES) > 45
    assert set(EXAMPLES) >= REFUSED


@pytest.mark.parametrize("text", sorted(set(EXAMPLES) - REFUSED))
def test_example_is_a_filter(text: str) -> None:
    parse_where(text)


def test_misspelled_field_is_refused_as_the_page_says() -> None:
    for text in REFUSED:
        with pytest.raises(QueryError, match="Did you mean"):
            parse_where(text)


def test_limits_are_those_of_the_page() -> None:
    limits = PAGE.partition("## Limits")[2]
    assert f"{MAX_CHARS:,} characters, {MAX_CONDITIONS} conditions, {MAX_DEPTH} levels" in limits


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.pdf", "/x/a.pdf", True),
        ("docs/*.md", "/x/docs/y/a.md", False),
        ("docs/**/*.md", "/x/docs/y/a.md", True),
        ("/home/me/docs", "/home/me/docs/a/b", True),
        ("docs/", "/x/docs/a/b", True),
        ("[a-c]*.txt", "/x/bus.txt", True),
        ("[!a-c]*.txt", "/x/bus.txt", False),
        ("draft\\*.md", "/x/draft*.md", True),
        ("caf\\xe9.md", b"/x/caf\xe9.md", True),
    ],
)
def test_pattern_of_the_page_matches(pattern: str, path: str | bytes, expected: bool) -> None:
    assert f"path:{pattern}" in EXAMPLES
    where = parse_where(f"path:{pattern}")
    assert isinstance(where, Path)
    data = path if isinstance(path, bytes) else path.encode()
    assert path_matcher(where.pattern)(matchable(data)) is expected
