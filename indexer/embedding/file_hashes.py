"""sha256 of large files, remembered so that a start does not hash 1.2 GB again."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from indexer.errors import ModelError

CACHE_NAME = "file-hashes.json"
_BLOCK_BYTES = 1 << 20


def sha256_of(
    path: Path, cache_folder: Path | None = None, on_bytes: Callable[[int], None] | None = None
) -> str:
    """Hex sha256 of a file's content.

    With a cache folder, a file whose inode, size, mtime and ctime are those of its last full hash
    is not read again.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        stamp = _stamp(path)
        if cache_folder is not None:
            known = _load(cache_folder).get(str(path.absolute()))
            if isinstance(known, list) and known[:-1] == stamp:
                return str(known[-1])
        digest = _hash(path, on_bytes)
        unchanged = _stamp(path) == stamp
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror or error}). Check the file, or fetch the "
            "model again."
        ) from error
    if cache_folder is not None and unchanged:
        _remember(cache_folder, path, [*stamp, digest])
    return digest


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _hash(path: Path, on_bytes: Callable[[int], None] | None) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            if on_bytes is not None:
                on_bytes(len(block))
    return digest.hexdigest()


def _load(cache_folder: Path) -> dict[str, object]:
    """The remembered hashes; a missing or damaged cache only costs hashing again."""
    try:
        values = json.loads((cache_folder / CACHE_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _remember(cache_folder: Path, path: Path, entry: list[int | str]) -> None:
    # Two processes may write at once: the later one wins and the lost entry costs one more hash.
    entries = {**_load(cache_folder), str(path.absolute()): entry}
    try:
        cache_folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=CACHE_NAME, dir=cache_folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(entries, file)
        Path(name).replace(cache_folder / CACHE_NAME)
    except OSError:
        return  # a read-only cache folder: correct, only slower
