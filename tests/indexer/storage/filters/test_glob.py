"""Patterns for paths: what they match, that nonsense is refused, that none takes for ever."""

import os
import re
from functools import cache

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from indexer.errors import QueryError
from indexer.storage.filters.glob import matchable, path_matcher


def matches(pattern: str, path: str | bytes) -> bool:
    return path_matcher(pattern)(matchable(os.fsencode(path)))


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.pdf", "/a/b/c.pdf", True),
        ("*.pdf", "/c.pdf", True),
        ("*.pdf", "/c.pdf/x", False),
        ("*.PDF", "/c.pdf", False),
        ("docs/*.md", "/home/me/docs/a.md", True),
        ("docs/*.md", "/docs/a.md", True),
        ("docs/*.md", "/docs/sub/a.md", False),
        ("docs/*.md", "/mydocs/a.md", False),
        ("docs/**/*.md", "/me/docs/a.md", True),
        ("docs/**/*.md", "/me/docs/x/y/a.md", True),
        ("**/x/**", "/x/a", True),
        ("**/x/**", "/a/x/b/c", True),
        ("**/x/**", "/a/x", False),
        ("a/**/b/**/c", "/q/a/b/b/z/c", True),
        ("a/**/b/**/c", "/q/a/c/b", False),
        ("a/**/**/b", "/a/b", True),
        ("/docs/*.md", "/docs/a.md", True),
        ("/docs/*.md", "/x/docs/a.md", False),
        ("/a/**/z", "/a/z", True),
        ("/a/**/z", "/b/a/z", False),
        ("docs", "/docs", True),
        ("docs", "/x/docs/a/b.md", True),
        ("docs", "/x/docs.md", False),
        ("/home/me/docs", "/home/me/docs/a/b", True),
        ("/home/me/docs", "/home/me/docs2/a", False),
        ("docs/", "/x/docs/a/b", True),
        ("docs/", "/x/docs", False),
        ("doc?", "/docs/a", False),
        ("//a//b", "/a/b", True),
        ("/", "/a", True),
        ("/**", "/a/b", True),
        ("**", "/a", True),
        ("a?c", "/abc", True),
        ("a?c", "/a/c", False),
        ("a*c", "/ac", True),
        ("a*c", "/a/c", False),
        ("[ab]x", "/bx", True),
        ("[!ab]x", "/bx", False),
        ("[^a-c]x", "/dx", True),
        ("[!a]b", "/x/b", False),
        ("[]x]", "/]", True),
        ("[a\\]]", "/]", True),
        ("[a-]", "/-", True),
        ("[--/]", "/.", None),
        ("\\*", "/*", True),
        ("\\*", "/a", False),
        ("\\[a]", "/[a]", True),
        ("{a,b}", "/{a,b}", True),
        ("a\nb*", "/a\nb\nc", True),
        ("*.md", "/a.md\n", False),
        ("ü*", "/u\u0308x", True),
        ("u\u0308*", "/üx", True),
    ],
)
def test_pattern_matches_what_it_should(pattern: str, path: str, expected: bool | None) -> None:
    if expected is None:  # a slash ends a name, in brackets too
        with pytest.raises(QueryError, match="not closed"):
            path_matcher(pattern)
    else:
        assert matches(pattern, path) is expected


def test_names_that_are_not_utf8_are_matched_by_stars_bytes_and_what_argv_holds() -> None:
    path = b"/x/caf\xe9.md"
    for pattern in ("caf?.md", "*.md", "caf[!a-z].md", "caf\\xe9.md", "caf[\\xe0-\\xef].md"):
        assert matches(pattern, path), pattern
    assert matches(os.fsdecode(b"caf\xe9.md"), path)
    assert not matches("caf\\xe8.md", path)
    assert not matches("café.md", path)
    assert matches("\\x61", "/a")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "empty"),
        ("[", "not closed"),
        ("a[]", "not closed"),
        ("a[!]", "not closed"),
        ("[z-a]", "range 'z-a' is empty"),
        ("a**", "stands alone"),
        ("docs/**.md", "stands alone"),
        ("a\\", "ends in a backslash"),
        ("a\\/b", "ends in a backslash"),
        ("~/docs", "absolute paths"),
        ("./docs", "absolute paths"),
        ("docs/../x", "absolute paths"),
    ],
)
def test_pattern_that_means_nothing_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        path_matcher(pattern)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 2_047 + "*b", "/" + "a" * 4_000),
        ("*a*a*a*a*a*b", "/" + "a" * 4_000),
        ("*a?" * 1_300 + "b", "/" + "a" * 4_000),
        ("**/a*a/" * 585 + "b", "/" + "aaa/" * 1_000),
        ("**/a/*/" * 585 + "b", "/" + "a/" * 2_000),
        ("*/" * 2_040 + "**/b", "/" + "a/" * 2_050),
        ("[ab]*" * 800 + "c", "/" + "ab" * 2_000),
        ("*" + "a" * 2_000 + "b", "/" + "a" * 4_000),
    ],
)
def test_hostile_pattern_ends_soon(pattern: str, path: str) -> None:
    """Each of them would run for ages in an engine that looks back at every star."""
    assert not matches(pattern, path)
    assert matches(pattern[:-1].rstrip("*") + "*", path)


alphabet = st.text("ab*?", max_size=4).map(lambda name: re.sub(r"\*+", "*", name))
patterns = st.builds(
    lambda start, names: start + "/".join(names),
    st.sampled_from(["", "/"]),
    st.lists(st.just("**") | alphabet.filter(bool), min_size=1, max_size=5),
)
paths = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=6)


def by_trying_everything(pattern: str, names: tuple[str, ...]) -> bool:
    """The rules as they are told, one character and one name after the other."""

    @cache
    def name_fits(glob: str, name: str) -> bool:
        if not glob:
            return not name
        if glob[0] == "*":
            return any(name_fits(glob[1:], name[n:]) for n in range(len(name) + 1))
        return bool(name) and glob[0] in ("?", name[0]) and name_fits(glob[1:], name[1:])

    def fits(globs: tuple[str, ...], names: tuple[str, ...]) -> bool:
        if not globs:
            return not names
        if globs == ("**",):
            return bool(names)
        if globs[0] == "**":
            return any(fits(globs[1:], names[n:]) for n in range(len(names) + 1))
        return bool(names) and name_fits(globs[0], names[0]) and fits(globs[1:], names[1:])

    globs = tuple(name for name in pattern.split("/") if name)
    if not pattern.startswith("/"):
        globs = ("**", *globs)
    is_plain = not {"*", "?"} & set(globs[-1])
    return fits(globs, names) or (is_plain and fits((*globs, "**"), names))


@given(patterns, paths)
def test_any_pattern_matches_what_trying_everything_matches(pattern: str, names: list[str]) -> None:
    assert matches(pattern, "/" + "/".join(names)) == by_trying_everything(pattern, tuple(names))


@given(st.text(st.sampled_from("ab/*?[]!^-\\~.x0é\udce9")))
def test_any_text_is_a_pattern_or_refused(pattern: str) -> None:
    try:
        matcher = path_matcher(pattern)
    except QueryError:
        assume(False)
    assert matcher(matchable(b"/a/b/\xe9")) in (True, False)
