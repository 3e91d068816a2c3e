"""A document that is handed over as text instead of lying in a file, checked before any work."""

import codecs
import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from indexer.documents.encoding import clean
from indexer.errors import UsageError
from indexer.paths import upload_path
from indexer.types import FileStamp, Metadata

MAX_TITLE_CHARS = 1_000
MAX_METADATA_CHARS = 32_768  # as JSON
MAX_METADATA_DEPTH = 8
MAX_METADATA_VALUES = 1_000
_LARGEST = 1 << 63  # SQLite's integers, and those of most who read our JSON, end here


class UploadFormat(StrEnum):
    """Text formats that hold one document."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    XML = "xml"
    RST = "rst"
    LATEX = "latex"
    CSV = "csv"
    TSV = "tsv"
    JSON = "json"
    SUBTITLES = "subtitles"


@dataclass(frozen=True, slots=True)
class Upload:
    """A document as its sender has it. `id` is the sender's name for it, unique in a collection."""

    id: str
    text: str
    format: UploadFormat = UploadFormat.TEXT
    title: str = ""  # instead of the text's own
    metadata: Metadata = field(default_factory=dict)  # beside the text's own, and before it
    modified_ns: int | None = None  # Unix nanoseconds; None: when it is stored

    def check(self) -> None:
        """Return if it can be stored.

        Raises:
            UsageError: a value out of bounds; says which.
        """
        try:
            upload_path(self.id)
            _check_title(self.title)
            check_metadata(self.metadata)
            if self.modified_ns is not None and abs(self.modified_ns) >= _LARGEST:
                raise UsageError("modified lies outside the years 1678 to 2261.")
        except UsageError as error:
            raise UsageError(f"document {self.id[:80]!r}: {error}") from None

    @property
    def path(self) -> bytes:
        """What stands in place of a path."""
        return upload_path(self.id)

    @property
    def data(self) -> bytes:
        """The text as a file would hold it: UTF-8, marked, whatever the text says of itself."""
        return codecs.BOM_UTF8 + clean(self.text).removeprefix("\ufeff").encode()

    @property
    def stamp(self) -> FileStamp:
        """As it would be stored now; equal hashes say that nothing has to be done."""
        head = [self.format, self.title, dict(self.metadata), self.modified_ns]
        data = self.data
        content = json.dumps(head, sort_keys=True).encode() + b"\0" + data
        modified_ns = time.time_ns() if self.modified_ns is None else self.modified_ns
        return FileStamp(self.path, len(data), modified_ns, hashlib.sha256(content).digest())


def _check_title(title: str) -> None:
    if len(title) > MAX_TITLE_CHARS:
        raise UsageError(
            f"a title of {len(title):,} characters; at most {MAX_TITLE_CHARS:,} are taken."
        )


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Return if these are JSON values that come back as they are.

    Raises:
        UsageError: they are not, or they are too many; says where.
    """
    waiting: list[tuple[str, Any, int]] = [("metadata", dict(metadata), MAX_METADATA_DEPTH)]
    seen = 0
    while waiting:
        where, value, depth = waiting.pop()
        seen += 1
        if seen > MAX_METADATA_VALUES:
            raise UsageError(f"metadata: more than {MAX_METADATA_VALUES:,} values. Send fewer.")
        if not isinstance(value, dict | list):
            _check_value(where, value)
            continue
        if not depth:
            raise UsageError(f"{where[:80]}: nested more than {MAX_METADATA_DEPTH} levels deep.")
        if isinstance(value, dict):
            for key in value:
                _check_key(where, key)
        items = value.items() if isinstance(value, dict) else enumerate(value)
        waiting += [(f"{where}.{key}"[:200], item, depth - 1) for key, item in items]
    size = len(json.dumps(dict(metadata), ensure_ascii=False))
    if size > MAX_METADATA_CHARS:
        raise UsageError(
            f"metadata: {size:,} characters as JSON; at most {MAX_METADATA_CHARS:,} are taken."
        )


def _check_key(where: str, key: Any) -> None:
    if not isinstance(key, str) or not _is_whole(key):
        raise UsageError(f"{where[:80]}: {repr(key)[:80]} is no name that can be stored.")


def _check_value(where: str, value: Any) -> None:
    """Return if it is a string, number, truth value or null that comes back as it is."""
    match value:
        case None | bool():
            fits = True
        case str():
            fits = _is_whole(value)
        case int():
            fits = abs(value) < _LARGEST
        case float():
            fits = math.isfinite(value)
        case _:
            fits = False
    if not fits:
        raise UsageError(
            f"{where[:80]}: {repr(value)[:80]} cannot be stored. Send strings of whole characters, "
            "finite numbers (integers of at most 64 bits), true, false, null, lists and objects."
        )


def _is_whole(text: str) -> bool:
    """False with half of a surrogate pair in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
