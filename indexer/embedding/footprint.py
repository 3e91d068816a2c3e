"""How much memory this process has needed at most, as the system counted it."""

import sys
from pathlib import Path

_PROC = Path("/proc/self/status")


def peak_rss_bytes() -> int:
    """Greatest resident set of this process so far; 0 where the system does not tell.

    On Linux VmHWM: `getrusage` would carry over the peak of the process that started this one.
    """
    return _peak_of_system()


def peak_vram_bytes() -> int | None:
    """Most memory that torch held on this process's GPUs; None where torch uses none.

    Imports nothing: a process that has not loaded torch holds no GPU memory through it.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    devices = range(torch.cuda.device_count())
    return sum(int(torch.cuda.max_memory_reserved(device)) for device in devices)


if sys.platform == "win32":  # pragma: no cover - exercised on Windows
    import ctypes
    from ctypes import wintypes

    class _Counters(ctypes.Structure):
        """PROCESS_MEMORY_COUNTERS of psapi.h."""

        _fields_ = (
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
        )

    def _peak_of_system() -> int:
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        kernel.K32GetProcessMemoryInfo.argtypes = (
            wintypes.HANDLE,
            ctypes.POINTER(_Counters),
            wintypes.DWORD,
        )
        counters = _Counters(cb=ctypes.sizeof(_Counters))
        process = kernel.GetCurrentProcess()
        if not kernel.K32GetProcessMemoryInfo(process, ctypes.byref(counters), counters.cb):
            return 0
        return int(counters.PeakWorkingSetSize)

else:
    import resource

    def _peak_of_system() -> int:
        if _PROC.exists():
            lines = _PROC.read_text(encoding="ascii", errors="replace").splitlines()
            sizes = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
            return int(sizes[0]) << 10 if sizes else 0
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak << 10  # bytes on macOS, else KiB
