import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.documents.ignore import parse_rule, read_ignore_file, rule_set


def verdict(line: str, path: str, is_folder: bool = False) -> bool | None:
    return rule_set("/r", [line]).verdict(f"/r/{path}", path.rpartition("/")[2], is_folder)


@pytest.mark.parametrize(
    ("line", "path", "expected"),
    [
        ("*.log", "a/b.log", True),
        ("*.log", "a/b.logs", None),
        ("/a.md", "a.md", True),
        ("/a.md", "b/a.md", None),
        ("doc/*.md", "doc/a.md", True),
        ("doc/*.md", "doc/x/a.md", None),
        ("doc/*.md", "x/doc/a.md", None),
        ("**/foo", "foo", True),
        ("**/foo", "a/b/foo", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**", "a/x/y", True),
        ("a/**", "a", None),
        ("a**b", "aXXb", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", None),
        ("[a-c].md", "b.md", True),
        ("[!a-c].md", "b.md", None),
        ("[[:digit:]].md", "7.md", True),
        ("[]x].md", "].md", True),
        (r"\#x", "#x", True),
        ("#x", "#x", None),
        (r"\!x", "!x", True),
        ("!x", "x", False),
        ("x ", "x", True),
        (r"x\ ", "x ", True),
        ("[open", "[open", None),
        ("trailing\\", "trailing\\", None),
        ("caf\udce9", "caf\udce9", True),
        ("[z-a]", "b", None),
    ],
)
def test_rule_set_one_pattern_decides_as_git(line: str, path: str, expected: bool | None) -> None:
    assert verdict(line, path) is expected


def test_rule_set_folder_pattern_leaves_files_alone() -> None:
    assert verdict("build/", "build", is_folder=True) is True
    assert verdict("build/", "build") is None


def test_rule_set_last_matching_line_wins() -> None:
    rules = rule_set("/r", ["*.md", "!a.md", "a.*"])
    assert rules.verdict("/r/a.md", "a.md", False) is True


@pytest.mark.parametrize(
    "glob", ["*a" * 40 + "b", "**/a/" * 20 + "b", "a/" + "**/x*y*/" * 12 + "z"]
)
def test_rule_set_hostile_glob_takes_no_time(glob: str) -> None:
    """The usual translation to a regular expression runs for years on the first of these."""
    rule = parse_rule(glob)
    assert rule is not None
    began = time.process_time()
    for subject in ("a" * 255, "a/" * 400 + "c", "a/" + "xyxy/" * 200):
        assert rule.pattern.fullmatch(subject) is None
    assert time.process_time() - began < 20  # years against seconds: no timing test


@given(st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_parse_rule_any_line_gives_rule_or_nothing(line: str) -> None:
    rule = parse_rule(line)
    assert rule is None or rule.pattern.fullmatch("some/path") is not False


def test_read_ignore_file_that_is_a_link_or_folder_is_no_rule(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("*\n")
    (tmp_path / ".gitignore").symlink_to("target")
    (tmp_path / ".semsearchignore").mkdir()
    assert read_ignore_file(str(tmp_path), ".gitignore") is None
    assert read_ignore_file(str(tmp_path), ".semsearchignore") is None


def test_read_ignore_file_with_byte_order_mark_and_crlf_is_understood(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"\xef\xbb\xbf*.log\r\n# no\r\n")
    rules = read_ignore_file(str(tmp_path), ".gitignore")
    assert rules is not None
    assert rules.verdict(f"{tmp_path}/a.log", "a.log", False) is True


SEGMENTS = st.sampled_from(["a", "b", "*", "?", "**", "a*", "*b", "[ab]", "[!a]", "ab", "*a*b*"])
GLOBS = st.builds(
    lambda segments, start, end, no: f"{no}{start}{'/'.join(segments)}{end}",
    st.lists(SEGMENTS, min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
    st.sampled_from(["", "/"]),
    st.sampled_from(["", "!"]),
)
PATHS = [
    f"{x}{y}{z}" for x in ("a", "b", "ab") for y in ("", "/a", "/b") for z in ("", "/ab", "/a")
]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the oracle")
@given(globs=st.lists(GLOBS, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_rule_set_files_ignored_are_those_git_ignores(
    globs: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("repo").resolve()
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / ".gitignore").write_text("\n".join(globs) + "\n")
    answer = subprocess.run(
        ["git", "-C", str(root), "check-ignore", "--no-index", "--stdin"],
        input="\n".join(PATHS),
        capture_output=True,
        text=True,
        check=False,
    )
    rules = rule_set(str(root), globs)
    ours = [path for path in PATHS if _ignored(rules, root, path)]
    assert ours == answer.stdout.split()


def _ignored(rules: object, root: Path, path: str) -> bool:
    """As the walk does: a folder that is left out is never entered."""
    parts = path.split("/")
    for n in range(1, len(parts) + 1):
        inner = "/".join(parts[:n])
        is_folder = n < len(parts)
        if rules.verdict(f"{root}/{inner}", parts[n - 1], is_folder):  # type: ignore[attr-defined]
            return True
    return False


def test_two_stars_alone_speak_of_every_depth() -> None:
    """Found by the comparison with git: `**` without a neighbour matched one level only."""
    rules = rule_set("/r", ["a", "!/**"])
    assert rules.verdict("/r/a", "a", True) is False
    assert rules.verdict("/r/b/a", "a", False) is False
