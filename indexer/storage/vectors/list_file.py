"""Codes in a file that is searched where it lies: FAISS reads the inverted lists from a mapping.

    lengths   what this file is; lists, bytes of the head, bytes of the file
    sizes     rows of each list (int64)
    head      the FAISS index without its rows: centroids and codebooks
    lists     each at a multiple of 64 bytes: blocks of 32 codes, then the rows' numbers (int64)

Mapped lists cost no memory that cannot be given back, and none is read before a search wants it.
Where FAISS cannot map them (Windows), and to add rows, they are read into memory.
"""

import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from indexer.storage.manifest import write_atomically
from indexer.storage.vectors.library import Ids, import_faiss

_MAGIC = b"semsearch codes1"
_LENGTHS = struct.Struct("<16sqqq")
_ALIGNED = 64  # a cache line
_ID_BYTES = 8

_Bytes = npt.NDArray[np.uint8]


class _Layout:
    """Where each list lies."""

    def __init__(self, sizes: Ids, head_bytes: int, index: Any) -> None:
        """Args: `index` is an IVF fast-scan index; it says how large a block of codes is."""
        blocks = -(-sizes // index.bbs)
        self.sizes, self.capacities = sizes, blocks * index.bbs
        self.code_bytes = self.capacities * index.code_size
        ends = np.cumsum(_padded(self.code_bytes + sizes * _ID_BYTES))
        first = _padded(_LENGTHS.size + sizes.nbytes + head_bytes)
        self.offsets = first + np.concatenate([[0], ends]).astype(np.int64)[:-1]
        self.total = first + int(ends[-1])


def _padded(length: Any) -> Any:
    return -(-length // _ALIGNED) * _ALIGNED


def write_lists(index: Any, path: Path) -> str:
    """Write an IVF fast-scan index atomically; returns the sha256."""
    sizes = np.array([index.invlists.list_size(n) for n in range(index.nlist)], np.int64)
    head = _head_of(index)
    layout = _Layout(sizes, len(head), index)

    def write(file: BinaryIO) -> None:
        start = _LENGTHS.pack(_MAGIC, index.nlist, len(head), layout.total) + sizes.tobytes() + head
        file.write(start)
        written = len(start)
        for number, offset in enumerate(layout.offsets.tolist()):
            codes, ids = _list_of(index.invlists, layout, number)
            file.write(bytes(offset - written))
            file.write(codes.tobytes())
            file.write(ids.tobytes())
            written = offset + codes.nbytes + ids.nbytes
        file.write(bytes(layout.total - written))

    return write_atomically(path, write)


def _head_of(index: Any) -> bytes:
    """The index as FAISS writes it, its lists put aside."""
    lists, owned = index.invlists, index.own_invlists
    index.own_invlists = False
    empty = import_faiss().ArrayInvertedLists(index.nlist, index.code_size)
    index.replace_invlists(empty, False)
    try:
        head: bytes = import_faiss().serialize_index(index).tobytes()
    finally:
        index.replace_invlists(lists, owned)
    return head


def _list_of(lists: Any, layout: _Layout, number: int) -> tuple[_Bytes, Ids]:
    """(codes, row numbers) of a list, where they lie."""
    faiss = import_faiss()
    codes = faiss.rev_swig_ptr(lists.get_codes(number), int(layout.code_bytes[number]))
    return codes, faiss.rev_swig_ptr(lists.get_ids(number), int(layout.sizes[number]))


def read_lists(file: BinaryIO, path: Path, *, mapped: bool) -> Any:
    """The index of a file whose checksum was found right.

    Args:
        file: open at its start.
        path: of that file.
        mapped: leave the lists in the file where that is possible; rows cannot be added then.

    Raises:
        ValueError: not such a file.
        RuntimeError: not an index that this FAISS reads.
        OSError: it cannot be mapped.
    """
    faiss = import_faiss()
    start = file.read(_LENGTHS.size)
    if len(start) < _LENGTHS.size or not start.startswith(_MAGIC):
        raise ValueError(f"{path}: not codes of this version")
    _, count, head_bytes, total = _LENGTHS.unpack(start)
    if (length := os.fstat(file.fileno()).st_size) != total:
        raise ValueError(f"{path}: {length} bytes, not {total}")
    sizes = np.frombuffer(file.read(count * 8), np.int64)
    index = faiss.deserialize_index(np.frombuffer(file.read(head_bytes), np.uint8))
    layout = _Layout(sizes, head_bytes, index)
    if layout.total != total:
        raise ValueError(f"{path}: its lists take {layout.total} bytes, not {total}")
    is_mapped = mapped and _can_map(path)
    lists = _map(file, path, layout, index) if is_mapped else _load(file, layout, index)
    lists.this.disown()
    index.replace_invlists(lists, True)
    return index


def _can_map(path: Path) -> bool:
    """FAISS maps no lists on Windows, and takes names only as UTF-8."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return hasattr(import_faiss(), "OnDiskInvertedLists")


def _map(file: BinaryIO, path: Path, layout: _Layout, index: Any) -> Any:
    faiss = import_faiss()
    if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
        raise OSError(f"{path}: replaced while it was opened")  # FAISS opens it by its name
    lists = faiss.OnDiskInvertedLists(index.nlist, index.code_size, os.fspath(path))
    lists.read_only = True
    lists.totsize = layout.total
    lists.prefetch_nthread = 0  # its threads, not ours
    lists.lists.clear()
    columns = (layout.sizes, layout.capacities, layout.offsets)
    for size, capacity, offset in zip(*(column.tolist() for column in columns), strict=True):
        one = faiss.OnDiskOneList()
        one.size, one.capacity, one.offset = size, capacity, offset
        lists.lists.push_back(one)
    lists.do_mmap()
    if hasattr(os, "posix_fadvise"):  # have the system read ahead what searches will want
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
    return lists


def _load(file: BinaryIO, layout: _Layout, index: Any) -> Any:
    lists = import_faiss().BlockInvertedLists(index.nlist, index.bbs, index.bbs * index.code_size)
    for number, (size, offset) in enumerate(
        zip(layout.sizes.tolist(), layout.offsets.tolist(), strict=True)
    ):
        lists.resize(number, size)
        file.seek(offset)
        for part in _list_of(lists, layout, number):
            part[:] = np.frombuffer(file.read(part.nbytes), part.dtype)
    return lists
