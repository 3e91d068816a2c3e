"""The texts that `semsearch embed` reads: one a line, or one JSON object a line."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from indexer.errors import ReadError, UsageError

STDIN = "-"
# One text must fit in memory with its tokens; a file without line ends must not fill it.
MAX_LINE_BYTES = 64 << 20
_BOM = b"\xef\xbb\xbf"
_ID_FIELDS = ("id", "_id")  # BEIR writes _id


class Format(StrEnum):
    """What a line holds."""

    LINES = "lines"  # the text itself, without its line end; an empty line is an empty text
    JSONL = "jsonl"  # an object with a string `text`; blank lines are passed over


@dataclass(frozen=True, slots=True)
class InputText:
    """A text and what goes into its answer."""

    text: str
    identity: tuple[str, str | int] | None = None  # field name and value of its id


def format_of(source: str, wanted: str) -> Format:
    """The format asked for; "auto" goes by the file's suffix.

    Raises:
        UsageError: no such format.
    """
    if wanted == "auto":
        jsonl = Path(source).suffix.lower() in {".jsonl", ".ndjson"}
        return Format.JSONL if jsonl else Format.LINES
    try:
        return Format(wanted)
    except ValueError:
        raise UsageError(f"--format {wanted}: there are auto, {', '.join(Format)}.") from None


@contextmanager
def open_source(source: str) -> Iterator[BinaryIO]:
    """The bytes of a file, or of stdin for "-".

    Raises:
        ReadError: the file cannot be opened.
    """
    if source == STDIN:
        yield sys.stdin.buffer
        return
    try:
        stream = Path(source).open("rb")  # noqa: SIM115 - closed below, errors of the body pass
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ReadError(
            f"{source}: cannot be read: {error}. Name a file, or - for stdin."
        ) from None
    with stream:
        yield stream


def read_texts(stream: BinaryIO, form: Format, name: str) -> Iterator[InputText]:
    """The texts of a stream, one line in memory at a time.

    Args:
        stream: UTF-8, with or without a byte order mark.
        form: what a line holds.
        name: of the source, for errors.

    Raises:
        ReadError: bytes that are not UTF-8, a line that is no object with a text, or one that is
            too long; with the line's number (from 1).
    """
    offset = 0
    for number, line in enumerate(_lines(stream, name), start=1):
        bare = line.removesuffix(b"\n").removesuffix(b"\r")
        start = offset
        if number == 1 and bare.startswith(_BOM):
            bare, start = bare.removeprefix(_BOM), offset + len(_BOM)
        offset += len(line)
        text = _decode(bare, name, number, start)
        if form is Format.LINES:
            yield InputText(text)
        elif text.strip():
            yield _of_json(text, name, number)


def _lines(stream: BinaryIO, name: str) -> Iterator[bytes]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise ReadError(
                f"{name}: line {number} is longer than {MAX_LINE_BYTES >> 20} MiB. "
                "Put one text on each line."
            )
        yield line


def _decode(line: bytes, name: str, number: int, offset: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReadError(
            f"{name}: line {number}: byte 0x{line[error.start]:02x} at offset "
            f"{offset + error.start:,} is not UTF-8 ({error.reason}). Convert it first, for "
            "example with iconv -t UTF-8."
        ) from None


def _of_json(line: str, name: str, number: int) -> InputText:
    try:
        value = json.loads(line, parse_constant=_no_json)
    except (ValueError, RecursionError) as error:
        raise ReadError(
            f"{name}: line {number} is not JSON ({error}): {line[:80]!r}. Each line is an object "
            'like {"text": "..."}; for plain lines give --format lines.'
        ) from None
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise ReadError(
            f'{name}: line {number} has no string under "text": {line[:80]!r}. Each line is an '
            'object like {"text": "..."}; for plain lines give --format lines.'
        )
    return InputText(text, _identity(value))


def _identity(value: dict[str, Any]) -> tuple[str, str | int] | None:
    for field in _ID_FIELDS:
        found = value.get(field)
        if isinstance(found, str) or type(found) is int:
            return field, found
    return None


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")
