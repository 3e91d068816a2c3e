"""Writing for people and programs: data to stdout, messages to stderr, names made harmless."""

import json
import os
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from indexer.paths import display_path


def print_json(value: Any) -> None:
    """One JSON document on stdout, valid whatever the encoding there."""
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    try:
        text.encode(_encoding(sys.stdout))
    except UnicodeEncodeError:  # a code page without these characters, or bytes that are no text
        text = json.dumps(value, indent=2) + "\n"
    sys.stdout.write(text)


def print_line(text: str = "") -> None:
    """One line of data on stdout."""
    _write(sys.stdout, text + "\n")


def say(text: str) -> None:
    """One line for the person at the terminal, on stderr."""
    _write(sys.stderr, text + "\n")
    sys.stderr.flush()


def say_error(error: BaseException) -> None:
    """An error's text on stderr. Its line breaks stay; what a quoted name may hold is escaped."""
    say("\n".join(printable(line) for line in f"semsearch: {error}".split("\n")))


def _write(stream: TextIO, text: str) -> None:
    """What the stream's encoding lacks appears as escapes instead of ending the program."""
    encoding = _encoding(stream)
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _encoding(stream: TextIO) -> str:
    return stream.encoding or "utf-8"


def printable(text: str) -> str:
    """Control and invisible formatting characters as escapes.

    Names and texts are hostile: an escape sequence in them must not move the cursor, and a bidi
    override must not make one file look like another.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) for char in text)


def _escape(char: str) -> str:
    if char == "\t" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return char
    # Joiners make emoji and several scripts; they cannot reorder or erase anything.
    if char in "\u200c\u200d":
        return char
    return char.encode("unicode_escape").decode()


def shown_path(path: bytes | str) -> str:
    """The path as it is said from here: relative when it lies below the current folder."""
    text = display_path(path) if isinstance(path, bytes) else path
    try:
        here = str(Path.cwd())
    except OSError:
        return printable(text)
    if text.startswith(here.rstrip(os.sep) + os.sep):
        text = text[len(here.rstrip(os.sep)) + 1 :]
    return printable(text)


def use_color(stream: Any) -> bool:
    """Colour only on a terminal that can, and never under NO_COLOR (no-color.org)."""
    from rich.console import Console

    console = Console(file=stream)
    return console.is_terminal and not console.no_color and console.color_system is not None


def mebibytes(size_bytes: float) -> str:
    """A size for people."""
    if size_bytes < 1 << 20:
        return f"{size_bytes / 1024:.0f} KiB"
    if size_bytes < 1 << 30:
        return f"{size_bytes / (1 << 20):.1f} MiB"
    return f"{size_bytes / (1 << 30):.2f} GiB"


def duration(seconds: float) -> str:
    """A time span for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
