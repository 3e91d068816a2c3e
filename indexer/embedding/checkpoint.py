"""Tensors of a safetensors checkpoint as numpy arrays, memory-mapped, without torch.

A mapped file costs memory only for the pages that were read. They are handed back after use, or the
process would look as large as its model file; the system keeps them cached as long as it can.
"""

import json
import math
import mmap
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.embedding.model_folder import weight_files
from indexer.errors import ModelError

_MAX_HEADER_BYTES = 100 << 20  # safetensors' own limit
_KEPT_BYTES = 32 << 20  # of a table's pages, before they are handed back
# BF16 has no numpy type: its 16 bits are the upper half of a float32.
_TYPES: Mapping[str, npt.DTypeLike] = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


@dataclass(frozen=True, slots=True)
class _Entry:
    file: Path
    kind: str  # safetensors' name of the number format
    shape: tuple[int, ...]
    start: int  # bytes from the beginning of the file
    end: int


class Checkpoint:
    """The weights of a model folder. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        """Read the headers; no weights yet.

        Raises:
            ModelError: a file is damaged or no safetensors.
        """
        self._folder = folder
        self._maps: dict[Path, mmap.mmap] = {}
        self._entries: dict[str, _Entry] = {}
        for file in weight_files(folder):
            self._entries |= _read_header(file)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @property
    def names(self) -> list[str]:
        """Names of all tensors."""
        return list(self._entries)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor.

        Raises:
            ModelError: there is no such tensor.
        """
        return self._entry(name).shape

    def tensor(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """A tensor widened to float32, as a copy.

        Raises:
            ModelError: there is no such tensor, or it has another shape or number format.
        """
        found = self._entry(name)
        if found.shape != shape:
            raise ModelError(
                f"{found.file}: {name} has shape {found.shape}, config.json asks for {shape}. "
                "Fetch the model again."
            )
        values = _widen(self._mapped(found))
        _hand_back(self._maps[found.file], found.start, found.end)
        return values

    def rows(self, name: str) -> "Rows":
        """A table whose rows are read when asked for."""
        found = self._entry(name)
        if len(found.shape) != 2:
            raise ModelError(f"{found.file}: {name} has shape {found.shape}, which is no table.")
        table = self._mapped(found)
        return Rows(table, lambda: _hand_back(self._maps[found.file], found.start, found.end))

    def _entry(self, name: str) -> _Entry:
        if name not in self._entries:
            raise ModelError(f"{self._folder}: holds no weights {name}. Fetch the model again.")
        return self._entries[name]

    def _mapped(self, entry: _Entry) -> npt.NDArray[Any]:
        if entry.kind not in _TYPES:
            raise ModelError(
                f"{entry.file}: weights in {entry.kind} are not supported here; "
                f"{', '.join(_TYPES)} are."
            )
        if entry.file not in self._maps:
            with entry.file.open("rb") as file:
                self._maps[entry.file] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        count = math.prod(entry.shape)
        kind = np.dtype(_TYPES[entry.kind])
        if not count:
            return np.zeros(entry.shape, dtype=kind)
        values = np.frombuffer(self._maps[entry.file], kind, count, entry.start)
        return values.reshape(entry.shape)


class Rows:
    """Rows of a mapped table, e.g. of token embeddings."""

    def __init__(self, table: npt.NDArray[Any], hand_back: Callable[[], None]) -> None:
        self._table = table
        self._hand_back = hand_back
        self._taken_bytes = 0

    @property
    def count(self) -> int:
        """Number of rows."""
        return int(self._table.shape[0])

    def take(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The rows as float32, shape (n, width)."""
        rows = _widen(self._table[indices])
        # At least a page for each row; a lost update between threads only delays it.
        self._taken_bytes += len(indices) * mmap.PAGESIZE
        if self._taken_bytes > _KEPT_BYTES:
            self._taken_bytes = 0
            self._hand_back()
        return rows


def _widen(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    if values.dtype == np.dtype("<u2"):
        return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return values.astype(np.float32)


def _hand_back(mapped: mmap.mmap, start: int, end: int) -> None:
    """Let the system count these pages as cache, not as this process's memory."""
    if not hasattr(mapped, "madvise"):
        return  # Windows trims working sets by itself
    start -= start % mmap.PAGESIZE
    mapped.madvise(mmap.MADV_DONTNEED, start, end - start)


def _read_header(file: Path) -> dict[str, _Entry]:
    """{tensor: where it lies}; every place checked, since a file from elsewhere is not trusted."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _MAX_HEADER_BYTES:
                raise ValueError(f"its header claims {length:,} bytes, at most 100 MiB are allowed")
            text = stream.read(length)
        if len(text) < length:
            raise ValueError(f"it ends after {len(text):,} of {length:,} header bytes")
        header = json.loads(text)
        first = 8 + length
        return {
            name: _entry(file, name, header[name], first, size)
            for name in header
            if name != "__metadata__"
        }
    # What json and the lookups raise on any other content, nesting without end included.
    except (OSError, struct.error, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{file}: cannot be read as safetensors: {error or type(error).__name__}. "
            "Fetch the model again."
        ) from None


def _entry(file: Path, name: str, values: Any, first: int, size: int) -> _Entry:
    shape, (start, end) = values["shape"], values["data_offsets"]
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"a tensor of shape {shape!r:.80}")
    kind = str(values["dtype"])
    width = np.dtype(_TYPES[kind]).itemsize if kind in _TYPES else None
    fits = type(start) is int and type(end) is int and 0 <= start <= end <= size - first
    if not fits or (width is not None and end - start != width * math.prod(shape)):
        raise ValueError(f"{name} lies at {start!r:.20} to {end!r:.20}, which cannot be")
    return _Entry(file, kind, tuple(shape), first + start, first + end)
