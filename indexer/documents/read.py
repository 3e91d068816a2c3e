"""Read a file and turn it into documents. Whatever is wrong with a file costs that file alone."""

import errno
import importlib
import os
import stat
import sys
from pathlib import Path
from types import TracebackType

from indexer.documents.formats import FORMATS, Format, detect
from indexer.documents.limits import ReadLimits
from indexer.documents.readers.base import Rejected, Source, too_much_text
from indexer.documents.sandbox import Sandbox
from indexer.errors import ReadError
from indexer.types import ParsedDocument, Skipped, SkipReason

__all__ = ["LoadError", "ReadLimits", "Reader", "load"]

# Text formats are parsed in this process up to this size; larger files might take long, and only
# the child has a time limit. markdown-it takes about 0.5 s for a megabyte.
_IN_PROCESS_BYTES = 1 << 20

_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO put in the file's place must not hang us
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class LoadError(ReadError):
    """A file whose bytes cannot be had; `reason` is what to report."""

    def __init__(self, path: Path, reason: SkipReason, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = path
        self.reason = reason
        self.detail = detail

    @property
    def skipped(self) -> Skipped:
        """The entry for the report."""
        return Skipped(self.path, self.reason, self.detail)


def load(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file that was found at the real path `path`; no link is followed.

    Raises:
        LoadError: it is gone, changed into something else, too large or unreadable.
    """
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise LoadError(path, SkipReason.LINK, "became a link since it was found") from error
        detail = error.strerror or type(error).__name__
        raise LoadError(path, SkipReason.UNREADABLE, detail) from error
    try:
        _check_opened(path, descriptor, max_bytes)
        return _read_all(path, descriptor, max_bytes)
    except OSError as error:
        detail = error.strerror or type(error).__name__
        raise LoadError(path, SkipReason.UNREADABLE, detail) from error
    finally:
        os.close(descriptor)


def _check_opened(path: Path, descriptor: int, max_bytes: int) -> None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise LoadError(path, SkipReason.SPECIAL, "is no regular file any more")
    if status.st_size > max_bytes:
        raise _too_large(path, status.st_size, max_bytes)
    if not _is_where_it_was(path, descriptor, status):
        raise LoadError(path, SkipReason.LINK, "a folder on its path became a link")


def _is_where_it_was(path: Path, descriptor: int, status: os.stat_result) -> bool:
    """False when a folder on the path has been swapped for a link since discovery."""
    if sys.platform == "linux":
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}") == os.fspath(path)
        except OSError:  # no /proc: fall through to the slower check
            pass
    real = os.path.realpath(path)
    return real == os.fspath(path) and os.path.samestat(os.lstat(real), status)


def _read_all(path: Path, descriptor: int, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            raise _too_large(path, size, max_bytes)
    return b"".join(parts)


def _too_large(path: Path, size: int, max_bytes: int) -> LoadError:
    detail = (
        f"at least {size / (1 << 20):.1f} MiB, limit {max_bytes / (1 << 20):.1f} MiB. "
        f"Raise the size limit to index it."
    )
    return LoadError(path, SkipReason.TOO_LARGE, detail)


class Reader:
    """Reads files of all formats; a context manager, because it may hold a child process.

    Usage:
        with Reader(ReadLimits()) as reader:
            documents = reader.read(path, load(path, max_bytes))
    """

    def __init__(self, limits: ReadLimits | None = None) -> None:
        self._limits = limits or ReadLimits()
        self._sandbox = Sandbox(self._limits)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sandbox.close()

    def read(
        self, path: Path, data: bytes, format: str | None = None
    ) -> list[ParsedDocument] | Skipped:
        """The documents in a file, at least one, each with text; or why there is none.

        Args:
            path: for its name; nothing is opened.
            data: the file's bytes.
            format: one of `FORMATS` that the data is in for certain; None: found out.
        """
        try:
            known = detect(path.name, data) if format is None else FORMATS[format]
            documents = self._parse(known, data)
            if _size(documents) > self._limits.text_bytes:
                raise too_much_text(self._limits.text_bytes)
        except Rejected as rejected:
            return Skipped(path, rejected.reason, rejected.detail)
        with_text = [document for document in documents if document.text.strip()]
        return with_text or Skipped(path, SkipReason.EMPTY, "there is no text in it")

    def _parse(self, format: Format, data: bytes) -> list[ParsedDocument]:
        format.require()
        if format.isolated or len(data) > _IN_PROCESS_BYTES:
            return self._sandbox.parse(format.reader, format.name, data)
        reader = importlib.import_module(f"indexer.documents.readers.{format.reader}")
        try:
            documents: list[ParsedDocument] = reader.parse(
                data, Source(format.name, self._limits.text_bytes)
            )
        except (ValueError, TypeError, LookupError, RecursionError, ArithmeticError) as error:
            detail = f"cannot be parsed: {type(error).__name__}: {str(error)[:200]}"
            raise Rejected(SkipReason.BROKEN, detail) from error
        return documents


def _size(documents: list[ParsedDocument]) -> int:
    """Bytes of the texts as UTF-8."""
    return sum(
        len(document.text) if document.text.isascii() else len(document.text.encode())
        for document in documents
    )
