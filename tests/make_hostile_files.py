"""Hostile files for the tests of reading: each builder writes one into a folder, returns its path.

    from make_hostile_files import ALL, odd_names
    for build in ALL: reader.read(path := build(tmp_path), path.read_bytes())

Small on disk unless said otherwise; what they grow into is not. The builders need the standard
library only, give the same bytes on every run, and say in their docstring what they attack. MARKER
is the harmless sentence in most of them: a reader returns it, or skips the file with a reason.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import make_hostile_pdf
import make_hostile_zips
from make_hostile_zips import LAUGHS, MARKER, MIB, PASSWD

Builder = Callable[[Path], Path]


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


def html_deep(folder: Path, depth: int = 100_000) -> Path:
    """`depth` nested elements: exhausts the stack of whoever walks them recursively."""
    body = "<div>" * depth + MARKER + "</div>" * depth
    return _write(folder / "deep.html", f"<html><body>{body}</body></html>")


def html_wide(folder: Path, count: int = 200_000) -> Path:
    """`count` attributes on one element and as many unclosed inline elements."""
    attributes = " ".join(f"a{number}=1" for number in range(count))
    return _write(folder / "wide.html", f"<p {attributes}>{MARKER}</p>" + "<b><i>" * count)


def html_remote(folder: Path) -> Path:
    """Names a page, a style, an image and a frame to fetch; no reader may."""
    address = "http://127.0.0.1:9/secret"
    return _write(
        folder / "remote.html",
        f'<html><head><base href="{address}"><link rel="stylesheet" href="{address}">'
        f'<meta http-equiv="refresh" content="0;url={address}"></head><body><p>{MARKER}</p>'
        f'<img src="{address}"><iframe src="file:///etc/passwd"></iframe></body></html>',
    )


def xml_laughs(folder: Path) -> Path:
    """Billion laughs: 2 * 10**9 letters from ten entity definitions."""
    return _write(folder / "laughs.xml", f'<?xml version="1.0"?>{LAUGHS}<r>{MARKER} &l9;</r>')


def xml_quadratic(folder: Path) -> Path:
    """One long entity used often: no nesting that a depth limit would see; 10**10 letters."""
    doctype = f'<!DOCTYPE r [<!ENTITY a "{"a" * 100_000}">]>'
    return _write(folder / "quadratic.xml", f"{doctype}<r>{MARKER} {'&a;' * 100_000}</r>")


def xml_external_entity(folder: Path) -> Path:
    """An entity naming file:///etc/passwd; its text must not appear."""
    return _write(folder / "external.xml", f'<?xml version="1.0"?>{PASSWD}<r>{MARKER} &x;</r>')


def xml_external_dtd(folder: Path) -> Path:
    """A document type to be fetched from the network, and from a file."""
    return _write(
        folder / "dtd.xml",
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd" [<!ENTITY % p SYSTEM '
        f'"file:///etc/passwd"> %p;]><r>{MARKER}</r>',
    )


def xml_deep(folder: Path, depth: int = 100_000) -> Path:
    """`depth` nested elements."""
    return _write(folder / "deep.xml", "<e>" * depth + MARKER + "</e>" * depth)


def eml_deep(folder: Path, depth: int = 10_000) -> Path:
    """`depth` multiparts inside each other."""
    head = "".join(
        f'Content-Type: multipart/mixed; boundary="b{level}"\n\n--b{level}\n'
        for level in range(depth)
    )
    start = "From: a@example.org\nSubject: nested\nMIME-Version: 1.0\n"
    return _write(folder / "deep.eml", f"{start}{head}Content-Type: text/plain\n\n{MARKER}\n")


def eml_many_parts(folder: Path, count: int = 50_000) -> Path:
    """`count` tiny attachments, some with names that climb out of the folder."""
    part = (
        '--b\nContent-Type: text/plain; name="x"\nContent-Disposition: attachment; '
        'filename="../../evil.txt"\n\nx\n'
    )
    start = 'Subject: many\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n'
    return _write(folder / "many.eml", f"{start}--b\n\n{MARKER}\n{part * count}--b--\n")


def ipynb_deep(folder: Path, depth: int = 100_000) -> Path:
    """A notebook whose cell metadata nests `depth` lists."""
    cell = '{"cell_type": "markdown", "source": ["' + MARKER + '"], "metadata": {"x": '
    nested = "[" * depth + "]" * depth
    notebook = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [' + cell
    return _write(folder / "deep.ipynb", f"{notebook}{nested}}}}}]}}")


def ipynb_wrong_types(folder: Path) -> Path:
    """Valid JSON in which every field has a type that nobody expects."""
    cells = [None, 7, [], {"cell_type": 3}, {"cell_type": "code", "source": {"a": [1]}}]
    cells.append({"cell_type": "code", "source": [1, None], "outputs": {"text": 1}})
    notebook = {"nbformat": "x", "metadata": [], "cells": cells}
    return _write(folder / "types.ipynb", json.dumps(notebook))


def json_deep(folder: Path, depth: int = 100_000) -> Path:
    """`depth` nested arrays."""
    return _write(folder / "deep.json", "[" * depth + f'"{MARKER}"' + "]" * depth)


def json_huge_number(folder: Path, digits: int = 1_000_000) -> Path:
    """A whole number of `digits` digits: quadratic to convert, refused by Python since 3.11."""
    return _write(folder / "number.json", f'{{"text": "{MARKER}", "n": {"9" * digits}}}')


def jsonl_hostile_ids(folder: Path) -> Path:
    """Doubled, empty, huge and odd ids, a broken line, a NaN, a lone surrogate."""
    ids = ["a", "a", "", "../../x", "\u001b[2J", "x" * 100_000, "\ud800", None, 7, ["l"]]
    lines = [json.dumps({"id": identity, "text": MARKER}) for identity in ids]
    lines += ["{broken", "NaN", "[]", '{"id": "n", "text": NaN}', '"\\u0000"']
    return _write(folder / "ids.jsonl", "\n".join(lines) + "\n")


def csv_long_field(folder: Path, size: int = 50 * MIB) -> Path:
    """One field of `size` bytes (as large on disk), never closed."""
    return _write(folder / "long.csv", f'name,text\n{MARKER},"' + "words " * (size // 6))


def csv_many_columns(folder: Path, count: int = 200_000) -> Path:
    """`count` columns in each of ten rows."""
    return _write(folder / "columns.csv", f"{MARKER}\n" + ("x," * count + "\n") * 10)


def markdown_deep(folder: Path, depth: int = 50_000) -> Path:
    """`depth` nested quotes and brackets: slow or recursive in many parsers."""
    text = f"{MARKER}\n\n{'>' * depth} quote\n\n{'[' * depth}link{']' * depth}\n\n"
    return _write(folder / "deep.md", text + "*a_ " * depth + "\n" + "`" * depth)


def markdown_yaml_laughs(folder: Path) -> Path:
    """Front matter that doubles by aliases, and asks for a Python object."""
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    evil = "run: !!python/object/apply:os.system ['echo evil']\n"
    return _write(folder / "laughs.md", f"---\na0: &a0 ha\n{levels}{evil}---\n\n# T\n\n{MARKER}\n")


def text_one_line(folder: Path, size: int = 20 * MIB) -> Path:
    """`size` letters without a space or a line end (as large on disk)."""
    return _write(folder / "one-line.txt", "a" * size)


def text_combining(folder: Path, count: int = 1_000_000) -> Path:
    """One letter with `count` combining marks: a single grapheme."""
    return _write(folder / "combining.txt", f"{MARKER} a" + "\u0301" * count)


def text_controls(folder: Path) -> Path:
    """Escape sequences, direction overrides, NUL, and every byte there is."""
    path = folder / "controls.txt"
    evil = "\x1b]0;title\x07\x1b[2J\u202egnp.exe\u2066".encode()
    path.write_bytes(MARKER.encode() + evil + bytes(range(256)) + b"\n")
    return path


def odd_names(folder: Path) -> list[Path]:
    """Small Markdown files whose names attack; those that the file system refuses are left out."""
    names = [
        b"latin-\xe9-\xff.md",
        b"line\nbreak.md",
        b"escape-\x1b[31m\x1b]0;owned\x07.md",
        b"tab\tand\rreturn.md",
        "bidi-\u202ednammoc.md".encode(),
        b"<script>alert(1)</script>.md".replace(b"/", b"_"),
        b"-rf.md",
        b"$(touch evil).md",
        b"%2e%2e%2f.md",
        b"'; DROP TABLE files; --.md",
        b" .md",
        b"a" * 250 + b".md",
        "e\u0301-and-\u00e9.md".encode(),
    ]
    written = []
    for number, name in enumerate(names):
        path = Path(os.fsdecode(os.path.join(os.fsencode(folder), name)))
        try:
            path.write_text(f"# Odd name {number}\n\n{MARKER}\n", encoding="utf-8")
        except (OSError, ValueError):  # macOS wants UTF-8, Windows forbids most of these
            continue
        written.append(path)
    return written


ALL: tuple[Builder, ...] = (
    *make_hostile_zips.ALL,
    *make_hostile_pdf.ALL,
    html_deep,
    html_wide,
    html_remote,
    xml_laughs,
    xml_quadratic,
    xml_external_entity,
    xml_external_dtd,
    xml_deep,
    eml_deep,
    eml_many_parts,
    ipynb_deep,
    ipynb_wrong_types,
    json_deep,
    json_huge_number,
    jsonl_hostile_ids,
    csv_long_field,
    csv_many_columns,
    markdown_deep,
    markdown_yaml_laughs,
    text_one_line,
    text_combining,
    text_controls,
)
