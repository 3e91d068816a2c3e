"""Energy that the machine has used, where it has counters that may be read.

RAPL counts a CPU's packages (only root may read it since CVE-2020-8694), NVML counts GPUs since
Volta. Both count the whole machine, whoever used it.
"""

import ctypes
from pathlib import Path
from typing import Any

from indexer.embedding.hardware.gpu import load_library

_POWERCAP = Path("/sys/class/powercap")


class EnergyCounter:
    """Joules since it was made."""

    def __init__(self, powercap: Path = _POWERCAP, library: Any | None = None) -> None:
        """Find the counters.

        Args:
            powercap: the kernel's folder of them.
            library: stands in for the driver's library.
        """
        found = [(path, _read(path / "energy_uj")) for path in sorted(powercap.glob("*-rapl:*"))]
        # Parts of a package (core, dram) have a second colon: they are counted in it.
        self._packages = [
            (path, start)
            for path, start in found
            if start is not None and path.name.count(":") == 1
        ]
        self._library = library if library is not None else load_library([])
        self._gpus_start = _gpu_millijoules(self._library)

    def joules(self) -> float | None:
        """None: there is no counter, or none that may be read."""
        if not self._packages and self._gpus_start is None:
            return None
        total = 0.0
        for path, start in self._packages:
            now = _read(path / "energy_uj")
            if now is not None:
                if now < start:  # it starts anew every few minutes at full load
                    now += _read(path / "max_energy_range_uj") or 0
                total += (now - start) / 1e6
        gpus_now = _gpu_millijoules(self._library)
        if self._gpus_start is not None and gpus_now is not None:
            total += (gpus_now - self._gpus_start) / 1e3
        return total


def _read(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None


def _gpu_millijoules(library: Any | None) -> int | None:
    """Of all GPUs since the driver was loaded; None where none tells."""
    if library is None or library.nvmlInit_v2() != 0:
        return None
    try:
        count = ctypes.c_uint()
        if library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
            return None
        read = [_millijoules_of(library, index) for index in range(count.value)]
    finally:
        library.nvmlShutdown()
    known = [value for value in read if value is not None]
    return sum(known) if known else None


def _millijoules_of(library: Any, index: int) -> int | None:
    handle, value = ctypes.c_void_p(), ctypes.c_ulonglong()
    if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) != 0:
        return None
    if library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(value)) != 0:
        return None
    return value.value
