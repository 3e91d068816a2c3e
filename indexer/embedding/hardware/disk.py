"""The disk that holds the weights: free space, and how fast a cold start will read them."""

import os
import shutil
import sys
import time
from pathlib import Path

from indexer.embedding.hardware.machine import Disk

_BLOCK_BYTES = 4 << 20
_MOST_BYTES = 128 << 20
_MOST_SECONDS = 0.2
# No disk in use reads a block this fast; main memory does (measured: 3-8 GB/s with a copy).
_CACHE_BYTES_PER_S = 2.5e9


def read_disk(weights: Path | None, folder: Path) -> tuple[Disk | None, list[str]]:
    """(the disk below `folder`, notes).

    Args:
        weights: a file to read from, for at most 0.2 s; None measures no speed.
        folder: where free space counts.
    """
    notes: list[str] = []
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return None, [f"disk: {folder} is not readable ({error.strerror})"]
    if weights is None:
        return Disk(free), notes
    try:
        speed, cached = _read_speed(weights)
    except OSError as error:
        return Disk(free), [f"disk: {weights} is not readable ({error.strerror})"]
    return Disk(free, speed, cached), notes


def _read_speed(file: Path) -> tuple[float | None, bool | None]:
    """(bytes per second of a sequential read from the file's middle, whether it was cached).

    Where the system can be asked to forget the pages (Linux) it is; pages mapped by another
    process stay, so the speed itself decides what is called cached.
    """
    with file.open("rb", buffering=0) as stream:
        size = os.fstat(stream.fileno()).st_size
        start = size // 2
        if sys.platform.startswith("linux"):
            os.posix_fadvise(stream.fileno(), start, _MOST_BYTES, os.POSIX_FADV_DONTNEED)
        stream.seek(start)
        buffer = bytearray(_BLOCK_BYTES)
        done = 0
        began = time.perf_counter()
        while done < _MOST_BYTES and (count := stream.readinto(buffer)):
            done += count
            if time.perf_counter() - began > _MOST_SECONDS:
                break
        seconds = time.perf_counter() - began
    if done < _BLOCK_BYTES:
        return None, None  # too little to time
    speed = done / seconds
    return speed, speed > _CACHE_BYTES_PER_S
