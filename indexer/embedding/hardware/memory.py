"""Main memory: installed, available, and what limits leave of it."""

import os
import sys
from pathlib import Path

from indexer.embedding.hardware import cgroup, system_calls
from indexer.embedding.hardware.machine import Memory

# When nothing tells: too little for the large models, enough for the small ones.
_UNKNOWN_BYTES = 2 << 30


def read_memory(root: Path = Path("/")) -> tuple[Memory, list[str]]:
    """(main memory, notes on what could not be found)."""
    notes: list[str] = []
    found = _installed(root, notes)
    if found is None:
        notes.append("memory: unknown; 2 GiB are assumed")
        found = (_UNKNOWN_BYTES, _UNKNOWN_BYTES)
    total, available = found
    linux = sys.platform.startswith("linux")
    container = cgroup.memory_left_bytes(root) if linux else None
    return Memory(total, min(total, available), container, _address_space(root)), notes


def _installed(root: Path, notes: list[str]) -> tuple[int, int] | None:
    """(total, available) bytes."""
    try:
        if sys.platform == "darwin":
            return system_calls.mac_memory()
        if sys.platform == "win32":
            return system_calls.windows_memory()
        fields = _meminfo(root / "proc/meminfo")
        # Kernels before 3.14 have no MemAvailable.
        available = fields.get("MemAvailable", fields["MemFree"] + fields.get("Cached", 0))
        return fields["MemTotal"], available
    except (OSError, AttributeError, LookupError, ValueError) as error:
        notes.append(f"memory: not readable ({error})")
        return None


def _meminfo(file: Path) -> dict[str, int]:
    """{field: bytes} of /proc/meminfo, whose numbers are KiB."""
    fields = {}
    for line in file.read_text().splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdecimal():
            fields[name] = int(words[0]) << 10
    return fields


def _address_space(root: Path) -> int | None:
    """Bytes left of RLIMIT_AS (`ulimit -v`)."""
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        pages = int((root / "proc/self/statm").read_text().split()[0])
    except (OSError, LookupError, ValueError):
        return limit
    return max(0, limit - pages * os.sysconf("SC_PAGE_SIZE"))
