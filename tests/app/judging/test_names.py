"""Names of documents in judgements: one each, without white space, whatever a file is called."""

import os
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.judging.names import document_name


@dataclass(frozen=True)
class At:
    path: bytes
    member: str = ""


ROOTS = (b"/home/ada/notes",)


@pytest.mark.parametrize(
    ("path", "member", "roots", "name"),
    [
        (b"/home/ada/notes/a b.md", "", ROOTS, "notes/a%20b.md"),
        (b"/home/ada/notes/50%#1.md", "", ROOTS, "notes/50%25%231.md"),
        (b"/home/ada/notes/caf\xe9.md", "", ROOTS, "notes/caf%E9.md"),
        ("/home/ada/notes/é.md".encode(), "", ROOTS, "notes/%C3%A9.md"),
        (b"/home/ada/notes/rows.jsonl", "r 1#2", ROOTS, "notes/rows.jsonl#r%201%232"),
        (b"/home/ada/notes", "", ROOTS, "notes"),
        (b"/home/ada/notes2/a.md", "", ROOTS, "/home/ada/notes2/a.md"),
        (b"/etc/motd", "", (b"/",), "/etc/motd"),
        (b"/home/ada/notes/x/a.md", "", (*ROOTS, b"/home/ada/notes/x"), "notes/x/a.md"),
        (b"/mnt/notes/a.md", "", (*ROOTS, b"/mnt/notes"), "/mnt/notes/a.md"),
        (b"/mnt/docs/a.md", "", (*ROOTS, b"/mnt/docs"), "docs/a.md"),
    ],
)
def test_document_name_is_that_below_its_root(
    path: bytes, member: str, roots: tuple[bytes, ...], name: str
) -> None:
    assert document_name(At(path, member), roots) == name


def test_document_name_survives_a_move_of_the_whole_folder() -> None:
    here = document_name(At(b"/home/ada/notes/a.md"), ROOTS)
    assert document_name(At(b"/mnt/usb/notes/a.md"), (b"/mnt/usb/notes",)) == here


parts = st.binary(min_size=1, max_size=6).map(
    lambda data: data.replace(b"/", b"_").replace(b"\0", b"_")
)
paths = st.lists(parts, min_size=1, max_size=4).map(lambda some: b"/" + b"/".join(some))
located = st.builds(At, paths, st.text(st.characters(), max_size=5))


@given(located, located, st.lists(paths, max_size=3))
def test_names_are_one_for_each_document_and_hold_no_white_space(
    one: At, other: At, roots: list[bytes]
) -> None:
    names = document_name(one, roots), document_name(other, roots)
    assert (names[0] == names[1]) == (one == other)
    for name in names:
        assert name.isascii()
        assert name.split() == [name]


@given(located)
def test_name_without_a_root_gives_path_and_member_back(document: At) -> None:
    path, _, member = document_name(document, ()).partition("#")
    assert unquote_to_bytes(path) == document.path
    assert unquote_to_bytes(member).decode("utf-8", "surrogatepass") == document.member


def test_names_of_files_whose_display_is_the_same_differ() -> None:
    """A byte that is not UTF-8 is displayed as \\xff; so is a file called that."""
    literal, byte = At(os.fsencode("/d/\\xff")), At(b"/d/\xff")
    assert document_name(literal, ()) != document_name(byte, ())
