"""Limits of the container this process runs in: Linux control groups, version 1 and 2.

A limit of any group on the way up binds, so all are read and the tightest counts. What cannot be
read does not limit: outside of containers these files are often absent.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# Version 1 writes "no limit" as the highest page-aligned number.
_NO_LIMIT_V1 = 1 << 60


def quota_cores(root: Path = Path("/")) -> float | None:
    """Cores' worth of time that the process may use; None: no limit."""
    quotas = []
    for folder in _groups(root, "cpu"):
        words = _words(folder / "cpu.max")  # "150000 100000", or "max 100000"
        if len(words) < 2:
            words = _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
        if len(words) == 2:
            quota, period = _number(words[0]), _number(words[1])
            if quota and period:
                quotas.append(quota / period)
    return min(quotas, default=None)


def memory_left_bytes(root: Path = Path("/")) -> int | None:
    """Bytes until the tightest memory limit, 0 when over it; None: no limit.

    Files that lie in memory only as a cache count as left: the kernel drops them first.
    """
    left = []
    for folder in _groups(root, "memory"):
        limits = [
            limit
            for name in ("memory.max", "memory.high", "memory.limit_in_bytes")
            if (limit := _first(folder / name)) is not None and limit < _NO_LIMIT_V1
        ]
        used = _first(folder / "memory.current", folder / "memory.usage_in_bytes")
        if limits and used is not None:
            left.append(max(0, min(limits) - max(0, used - _cached(folder))))
    return min(left, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's groups for a controller, innermost first, both versions."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            mounts = [controllers, controller]
        elif not controllers:
            mounts = ["", "unified"]
        else:
            continue
        inner = PurePosixPath(path.lstrip("/"))
        if ".." in inner.parts:  # a group outside of our own view: only its root is visible
            inner = PurePosixPath()
        for mount in mounts:
            top = root / "sys/fs/cgroup" / mount
            yield from (top / step for step in (inner, *inner.parents))


def _cached(folder: Path) -> int:
    words = _words(folder / "memory.stat")
    stat = dict(zip(words[::2], words[1::2], strict=False))
    return _number(stat.get("total_inactive_file") or stat.get("inactive_file") or "") or 0


def _first(*files: Path) -> int | None:
    """The number in the first of these files that holds one."""
    for file in files:
        words = _words(file)
        if words and (number := _number(words[0])) is not None:
            return number
    return None


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except (OSError, UnicodeDecodeError):
        return []


def _number(word: str) -> int | None:
    """A count; "max" and "-1" mean none."""
    return int(word) if word.isascii() and word.isdecimal() else None
