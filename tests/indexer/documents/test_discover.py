import os
import socket
from pathlib import Path

import pytest

from indexer.documents.discover import DiscoverOptions, discover, resolve_root
from indexer.errors import ReadError
from indexer.types import FoundFile, Skipped, SkipReason


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "root"
    folder.mkdir()
    return folder


def write(path: Path, text: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def found(*paths: Path, options: DiscoverOptions | None = None) -> list[str]:
    """Names of the files found, below the first path."""
    items = discover(paths, options)
    return [os.path.relpath(x.path, paths[0]) for x in items if isinstance(x, FoundFile)]


def skipped(*paths: Path, options: DiscoverOptions | None = None) -> dict[str, Skipped]:
    items = discover(paths, options)
    return {os.path.relpath(x.path, paths[0]): x for x in items if isinstance(x, Skipped)}


def test_discover_folder_yields_files_sorted_by_name_in_each_folder(root: Path) -> None:
    for name in ("b.md", "a/z.md", "a/B.md", "c/d/e.md"):
        write(root / name)
    assert found(root) == ["a/B.md", "a/z.md", "b.md", "c/d/e.md"]


def test_discover_file_carries_size_and_time_of_the_file(root: Path) -> None:
    path = write(root / "a.md", "12345")
    assert list(discover([path])) == [FoundFile(path, 5, path.stat().st_mtime_ns)]


def test_discover_missing_path_raises_before_anything_is_yielded(root: Path) -> None:
    with pytest.raises(ReadError, match="nowhere.md: No such file"):
        discover([root, root / "nowhere.md"])


def test_discover_overlapping_paths_yields_no_file_twice(root: Path) -> None:
    write(root / "a/x.md")
    write(root / "y.md")
    assert found(root, root / "a", root / "a" / "x.md", root) == ["a/x.md", "y.md"]
    assert found(root / "a", root) == ["x.md", "../y.md"]


def test_discover_file_given_by_name_ignores_ignore_files(root: Path) -> None:
    write(root / ".gitignore", "secret.md\n")
    path = write(root / "secret.md")
    assert found(path) == ["."]
    assert found(root) == []


def test_discover_nested_gitignores_decides_as_git_does(root: Path) -> None:
    write(root / ".gitignore", "*.log\nbuild/\n/only-top.md\n!keep.log\n")
    write(root / "sub/.gitignore", "!again.log\n*.tmp.md\n")
    for name in (
        "a.log",
        "keep.log",
        "build/x.md",
        "only-top.md",
        "sub/only-top.md",
        "sub/again.log",
        "sub/other.log",
        "sub/x.tmp.md",
        "x.tmp.md",
    ):
        write(root / name)
    assert found(root) == ["keep.log", "sub/again.log", "sub/only-top.md", "x.tmp.md"]
    left_out = skipped(root)
    assert left_out["build"].is_folder
    assert left_out["build"].reason is SkipReason.IGNORED
    assert "build/x.md" not in left_out


def test_discover_semsearchignore_wins_over_gitignore_beside_it(root: Path) -> None:
    write(root / ".gitignore", "notes/\n")
    write(root / ".semsearchignore", "!notes/\ndrafts/\n")
    write(root / "notes/a.md")
    write(root / "drafts/b.md")
    assert found(root) == ["notes/a.md"]


def test_discover_subfolder_of_checkout_obeys_gitignore_above_it(root: Path) -> None:
    (root / ".git").mkdir()
    write(root / ".gitignore", "*.gen.md\n")
    write(root / "docs/a.gen.md")
    write(root / "docs/a.md")
    assert found(root / "docs") == ["a.md"]


def test_discover_folder_given_by_name_is_read_though_ignored(root: Path) -> None:
    (root / ".git").mkdir()
    write(root / ".gitignore", "out/\n")
    write(root / "out/deep/a.md")
    assert found(root / "out") == ["deep/a.md"]
    assert found(root / "out" / "deep") == ["a.md"]


def test_discover_builtin_ignores_are_one_entry_each_and_can_be_lifted(root: Path) -> None:
    for name in ("node_modules/p/a.md", ".venv/lib/b.md", ".git/c.md", "d.md", ".env", "key.pem"):
        write(root / name)
    assert found(root) == ["d.md"]
    left_out = skipped(root)
    assert {name for name, item in left_out.items() if item.is_folder} == {
        ".git",
        ".venv",
        "node_modules",
    }
    assert "may hold secrets" in left_out[".env"].detail
    write(root / ".semsearchignore", "!node_modules\n!key.pem\n")
    assert found(root) == ["d.md", "key.pem", "node_modules/p/a.md"]


def test_discover_include_and_exclude_globs_choose_files(root: Path) -> None:
    for name in ("a.md", "b.txt", "docs/c.md", "docs/old/d.md"):
        write(root / name)
    options = DiscoverOptions(include=("*.md",), exclude=("old/", "/a.md"))
    assert found(root, options=options) == ["docs/c.md"]
    left_out = skipped(root, options=options)
    assert left_out["docs/old"].is_folder
    assert left_out["docs/old"].reason is SkipReason.EXCLUDED
    assert left_out["b.txt"].detail == "not in --include"


def test_discover_too_large_and_empty_files_are_named_with_sizes(root: Path) -> None:
    write(root / "large.md", "x" * 3000)
    write(root / "empty.md", "")
    left_out = skipped(root, options=DiscoverOptions(max_file_bytes=2000))
    assert left_out["large.md"].reason is SkipReason.TOO_LARGE
    assert "limit 0.0 MiB" in left_out["large.md"].detail
    assert left_out["empty.md"].reason is SkipReason.EMPTY


@pytest.mark.parametrize(
    ("name", "words"),
    [("a.PNG", "an image"), ("b.doc", "Save it as .docx"), ("c.msg", "Save it as .eml")],
)
def test_discover_unreadable_kind_says_what_to_do(root: Path, name: str, words: str) -> None:
    write(root / name)
    item = skipped(root)[name]
    assert item.reason is SkipReason.BINARY
    assert words in item.detail


def test_discover_links_inside_the_root_are_not_indexed_again(root: Path) -> None:
    target = write(root / "real/a.md")
    (root / "file").symlink_to(target)
    (root / "folder").symlink_to(target.parent, target_is_directory=True)
    assert found(root) == ["real/a.md"]
    assert skipped(root)["file"].detail == f"indexed at {target}"
    assert skipped(root)["folder"].reason is SkipReason.LINK


def test_discover_links_out_of_the_root_yield_nothing_from_outside(root: Path) -> None:
    outside = write(root.parent / "outside/secret.md")
    (root / "file").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent, target_is_directory=True)
    (root / "up").symlink_to("..", target_is_directory=True)
    assert found(root) == []
    assert f"leads out of {root}" in skipped(root)["folder"].detail


def test_discover_link_loops_and_broken_links_are_skipped(root: Path) -> None:
    (root / "self").symlink_to("self")
    (root / "gone").symlink_to("nowhere")
    (root / "loop").symlink_to(root, target_is_directory=True)
    assert {item.reason for item in skipped(root).values()} == {SkipReason.LINK}
    assert set(skipped(root)) == {"self", "gone", "loop"}


def test_discover_root_that_is_a_link_is_followed(root: Path) -> None:
    write(root / "a.md")
    link = root.parent / "link"
    link.symlink_to(root, target_is_directory=True)
    assert [item.path for item in discover([link])] == [root / "a.md"]
    assert resolve_root(link) == root


def test_discover_special_files_are_never_opened(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(root / "fifo.md")
    monkeypatch.chdir(root)  # socket paths are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.md")
        left_out = skipped(root)
    assert {item.reason for item in left_out.values()} == {SkipReason.SPECIAL}
    assert set(left_out) == {"fifo.md", "socket.md"}


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_discover_names_that_are_not_utf8_survive(root: Path) -> None:
    name = b"caf\xe9 \xff.md"
    Path(os.fsdecode(os.path.join(os.fsencode(root), name))).write_text("text")
    (item,) = discover([root])
    assert isinstance(item, FoundFile)
    assert os.path.basename(os.fsencode(item.path)) == name


def test_discover_unreadable_folder_is_reported_and_the_rest_found(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Played, because the administrator who may run the tests can read everything."""
    write(root / "closed/a.md")
    write(root / "open.md")
    scandir = os.scandir

    def refuse(folder: str) -> object:
        if folder.endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert found(root) == ["open.md"]
    assert skipped(root)["closed"] == Skipped(
        root / "closed", SkipReason.UNREADABLE, "Permission denied", is_folder=True
    )


def test_discover_folder_vanishing_during_the_walk_is_reported(root: Path) -> None:
    write(root / "a.md")
    write(root / "b/c.md")
    walk = discover([root])
    next(walk)
    (root / "b/c.md").unlink()
    (root / "b").rmdir()
    (item,) = walk
    assert isinstance(item, Skipped)
    assert (item.path, item.reason, item.is_folder) == (root / "b", SkipReason.UNREADABLE, True)


def test_discover_deep_folders_do_not_exhaust_the_stack(root: Path) -> None:
    folders = [str(root)]
    for _ in range(1100):  # beyond Python's recursion limit
        folders.append(f"{folders[-1]}/d")
        os.mkdir(folders[-1])
    end = Path(folders[-1]) / "e.md"
    end.write_text("x")
    try:
        assert [item.path for item in discover([root])] == [end]
    finally:  # pytest's own clean-up is recursive
        end.unlink()
        for folder in reversed(folders[1:]):
            os.rmdir(folder)
