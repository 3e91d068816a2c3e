"""Memory of a process: capped from inside where the system can, watched from outside everywhere."""

import contextlib
import os
import subprocess
import sys


def limit_self(memory_bytes: int) -> None:
    """Cap this process's address space, core dumps and written files, where the system can."""
    if sys.platform == "win32":
        return
    import resource

    # macOS accepts RLIMIT_AS and ignores it: there the parent's watch is the cap.
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            _soft, hard = resource.getrlimit(limit)
            allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(limit, (allowed, hard))


def resident_bytes(pid: int) -> int | None:
    """Memory a process holds now; None when it cannot be told."""
    tell = {"linux": _resident_bytes_proc, "win32": _resident_bytes_windows}
    return tell.get(sys.platform, _resident_bytes_ps)(pid)


def _resident_bytes_proc(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return None


def _resident_bytes_ps(pid: int) -> int | None:
    try:
        answer = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, timeout=2, check=True
        )
        return int(answer.stdout) * 1024
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _resident_bytes_windows(pid: int) -> int | None:
    import ctypes
    from ctypes import wintypes

    class Counters(ctypes.Structure):
        _fields_ = [  # noqa: RUF012
            ("cb", wintypes.DWORD),
            ("PageFaultCount", wintypes.DWORD),
            ("PeakWorkingSetSize", ctypes.c_size_t),
            ("WorkingSetSize", ctypes.c_size_t),
            ("QuotaPeakPagedPoolUsage", ctypes.c_size_t),
            ("QuotaPagedPoolUsage", ctypes.c_size_t),
            ("QuotaPeakNonPagedPoolUsage", ctypes.c_size_t),
            ("QuotaNonPagedPoolUsage", ctypes.c_size_t),
            ("PagefileUsage", ctypes.c_size_t),
            ("PeakPagefileUsage", ctypes.c_size_t),
        ]

    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  (unknown to mypy off Windows)
    query_information, read_memory = 0x0400, 0x0010
    handle = kernel.OpenProcess(query_information | read_memory, False, pid)
    if not handle:
        return None
    try:
        counters = Counters()
        counters.cb = ctypes.sizeof(counters)
        if not kernel.K32GetProcessMemoryInfo(handle, ctypes.byref(counters), counters.cb):
            return None
        return max(int(counters.WorkingSetSize), int(counters.PagefileUsage))
    finally:
        kernel.CloseHandle(handle)
