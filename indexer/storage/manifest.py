"""Checksummed files beside the catalog: written whole or not at all, hashed before believed.

FAISS reads a damaged file without complaint and answers wrongly (19 of 220 tried), so nothing is
opened whose sha256 does not match its manifest. A file whose device, inode, size and times are as
they were at its last full check is trusted without reading it again; that memory lies in a sidecar
beside it.
"""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, BinaryIO

_BLOCK = 1 << 20
_YOUNG_NS = 2_000_000_000

Identity = list[int]  # device, inode, size, mtime, ctime


PathIdentity = tuple[int, int, int, int]  # device, inode, size, mtime


def path_identity(path: Path) -> PathIdentity | None:
    """What tells a file from the one that took its name since; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


def write_atomically(path: Path, write: Callable[[BinaryIO], None]) -> str:
    """Write a file through a temporary one beside it; returns the sha256 of what was written.

    Synced before and after the rename: after a crash either the old or the new file is there,
        whole.

    Raises:
        OSError: the old file is untouched, the temporary one is gone.
    """
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            hashing = _HashingFile(file)
            write(hashing)  # type: ignore[arg-type]  # only `write` is used
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    sync_folder(path.parent)
    return hashing.digest.hexdigest()


class _HashingFile:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)


def sync_folder(folder: Path) -> None:
    """Make a rename durable. Windows has no such call and needs none."""
    if os.name == "posix":
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def remove_leftovers(folder: Path, others: str = "") -> None:
    """Delete temporary files of writers that were killed; only for the holder of the lock.

    `others` is a glob of those that have another owner.
    """
    for path in folder.glob(".*.tmp"):
        if not fnmatch(path.name, others):
            with suppress(OSError):
                path.unlink()


def write_bytes(path: Path, data: bytes) -> None:
    """Atomically."""

    def write(file: BinaryIO) -> None:
        file.write(data)

    write_atomically(path, write)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Atomically, with a checksum of its own: a flipped digit is still good JSON."""
    sealed = {"checksum": _checksum(values), "values": values}
    write_bytes(path, json.dumps(sealed, indent=1, sort_keys=True).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """What `write_json` wrote; None if there is no such file or it is damaged."""
    try:
        sealed = json.loads(path.read_bytes())
        values = sealed["values"]
        whole = sealed["checksum"] == _checksum(values)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return values if whole and isinstance(values, dict) else None


def _checksum(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def sha256_of(file: BinaryIO) -> str:
    """Hex sha256 from the start of the file; leaves it at the start again."""
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


class TrustedFiles:
    """Remembers which files passed a full check, by identity, in a sidecar."""

    def __init__(self, sidecar: Path) -> None:
        self._sidecar = sidecar
        values = read_json(sidecar) or {}
        self._known: dict[str, Any] = values

    def check(self, file: BinaryIO, name: str, sha256: str) -> bool:
        """True when the open file has this sha256, by memory or by reading it."""
        if self.knows(file, name, sha256):
            return True
        identity = _identity(file)
        if sha256_of(file) != sha256 or _identity(file) != identity:
            return False
        self.remember(file, name, sha256)
        return True

    def knows(self, file: BinaryIO, name: str, sha256: str) -> bool:
        """True when this very file, unchanged since, passed a full check for this checksum."""
        return bool(self._known.get(name) == {"sha256": sha256, "identity": _identity(file)})

    def remember(self, file: BinaryIO, name: str, sha256: str) -> None:
        """The open file has just passed a full check; kept by `save`."""
        identity = _identity(file)
        # Clocks of file systems tick coarsely: a later write within the tick would not show.
        if time.time_ns() - max(identity[3:]) > _YOUNG_NS:
            self._known[name] = {"sha256": sha256, "identity": identity}

    def save(self, names: set[str]) -> None:
        """Keep the memory of these files; a read-only folder only costs another check."""
        self._known = {name: value for name, value in self._known.items() if name in names}
        if read_json(self._sidecar) != self._known:
            with suppress(OSError):
                write_json(self._sidecar, self._known)


def _identity(file: BinaryIO) -> Identity:
    stat = os.fstat(file.fileno())
    return [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
