"""NVIDIA GPUs through the driver's own library (NVML), called by ctypes: no torch, no package.

Absent, broken or partly working libraries are usual (containers without the "utility" capability,
a driver updated under a running kernel): each failure is a note, never an error.
"""

import ctypes
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from indexer.embedding.hardware.machine import Gpu

_SUCCESS = 0
_SM_CLOCK = 1  # nvmlClockType_t NVML_CLOCK_SM
_MEMORY_CLOCK = 2  # NVML_CLOCK_MEM
_NAME_BYTES = 96
# Bytes per second and lane of each PCIe generation, and the share of it that copies from pinned
# memory reach (24-25 of 31.5 GB/s on generation 4 x16 in NVIDIA's bandwidthTest).
_PCIE_LANE = {1: 0.25e9, 2: 0.5e9, 3: 0.985e9, 4: 1.969e9, 5: 3.938e9, 6: 7.563e9}
_PCIE_SHARE = 0.78


class _MemoryInfo(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class _Failed(Exception):
    """A call of the library did not succeed."""


def read_gpus(
    visible: str | None = None, library: Any | None = None
) -> tuple[tuple[Gpu, ...], list[str]]:
    """(GPUs that CUDA programs may use, notes on what could not be found).

    Args:
        visible: value of CUDA_VISIBLE_DEVICES; None: all.
        library: stands in for the driver's library.
    """
    notes: list[str] = []
    if library is None:
        library = load_library(notes)
        if library is None:
            return (), notes
    try:
        _call(library, "nvmlInit_v2")
    except _Failed as error:
        return (), [f"GPU: {error}; the NVIDIA driver does not answer"]
    try:
        found = _all(library, notes)
    except _Failed as error:
        return (), [*notes, f"GPU: {error}; none is used"]
    finally:
        library.nvmlShutdown()
    gpus = _visible(found, visible, notes)
    if len({gpu.name for gpu in gpus}) > 1:
        notes.append(
            "GPU: several kinds; CUDA may number them otherwise than the driver does. "
            "CUDA_DEVICE_ORDER=PCI_BUS_ID makes both agree"
        )
    return gpus, notes


def load_library(notes: list[str]) -> Any | None:
    """NVML; None, without a note, where there is no NVIDIA driver."""
    names = ["libnvidia-ml.so.1", "libnvidia-ml.so"]
    if sys.platform == "darwin":
        return None
    if sys.platform == "win32":
        names = ["nvml.dll"]  # in System32 since driver 400
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    if any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/dxg")):
        notes.append("GPU: there is an NVIDIA device, but libnvidia-ml.so.1 is not installed")
    if Path("/dev/kfd").exists():
        notes.append("GPU: an AMD device is not used by itself; only NVIDIA is")
    return None


def _all(library: Any, notes: list[str]) -> list[tuple[Gpu, str]]:
    """Every GPU of the driver with its UUID; one that does not answer is noted and left out."""
    count = ctypes.c_uint()
    _call(library, "nvmlDeviceGetCount_v2", ctypes.byref(count))
    driver = _text(library, "nvmlSystemGetDriverVersion")
    found = []
    for index in range(count.value):
        handle = ctypes.c_void_p()
        try:
            _call(library, "nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(handle))
            gpu = _read(library, handle, index, driver)
        except _Failed as error:
            notes.append(f"GPU {index}: {error}; it is not used")
            continue
        found.append((gpu, _text(library, "nvmlDeviceGetUUID", handle)))
    return found


def _read(library: Any, handle: ctypes.c_void_p, index: int, driver: str) -> Gpu:
    memory = _MemoryInfo()
    _call(library, "nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
    major, minor = ctypes.c_int(), ctypes.c_int()
    _call(
        library,
        "nvmlDeviceGetCudaComputeCapability",
        handle,
        ctypes.byref(major),
        ctypes.byref(minor),
    )
    # Clocks are in MHz; memory moves two words per cycle of the reported clock.
    memory_clock = _count(library, "nvmlDeviceGetMaxClockInfo", handle, _MEMORY_CLOCK) * 1e6
    bus_bytes = _count(library, "nvmlDeviceGetMemoryBusWidth", handle) / 8
    lane = _PCIE_LANE.get(_count(library, "nvmlDeviceGetMaxPcieLinkGeneration", handle), 0.0)
    lanes = _count(library, "nvmlDeviceGetMaxPcieLinkWidth", handle)
    return Gpu(
        index=index,
        name=_text(library, "nvmlDeviceGetName", handle),
        total_bytes=memory.total,
        free_bytes=memory.free,
        capability=(major.value, minor.value),
        driver=driver,
        cores=_count(library, "nvmlDeviceGetNumGpuCores", handle),
        clock_hz=_count(library, "nvmlDeviceGetMaxClockInfo", handle, _SM_CLOCK) * 1e6,
        memory_bytes_per_s=2 * memory_clock * bus_bytes,
        pcie_bytes_per_s=lane * lanes * _PCIE_SHARE,
    )


def _visible(
    found: list[tuple[Gpu, str]], visible: str | None, notes: list[str]
) -> tuple[Gpu, ...]:
    """As CUDA does: in the order of the list, which ends at the first entry that names no GPU."""
    if visible is None:
        return tuple(gpu for gpu, _ in found)
    chosen: list[Gpu] = []
    for entry in (word.strip() for word in visible.split(",")):
        if entry.startswith("MIG-"):
            notes.append("GPU: parts of a GPU (MIG) are not planned for; name the mode yourself")
            break
        match = [
            gpu
            for gpu, uuid in found
            if entry == str(gpu.index) or (entry.startswith("GPU-") and uuid.startswith(entry))
        ]
        if not match:
            break
        chosen += match[:1]
    hidden = len(found) - len(chosen)
    if hidden:
        notes.append(f"GPU: CUDA_VISIBLE_DEVICES={visible!r} hides {hidden} of {len(found)}")
    return tuple(replace(gpu, index=index) for index, gpu in enumerate(chosen))


def _count(library: Any, name: str, *arguments: Any) -> int:
    """A number that only refines a prediction: 0 where the library does not give it."""
    value = ctypes.c_uint()
    try:
        _call(library, name, *arguments, ctypes.byref(value))
    except _Failed:
        return 0
    return value.value


def _text(library: Any, name: str, *arguments: Any) -> str:
    value = ctypes.create_string_buffer(_NAME_BYTES)
    try:
        _call(library, name, *arguments, value, ctypes.c_uint(_NAME_BYTES))
    except _Failed:
        return ""
    return value.value.decode(errors="replace")


def _call(library: Any, name: str, *arguments: Any) -> None:
    function = getattr(library, name, None)
    if function is None:
        raise _Failed(f"the driver's library has no {name}")
    code = function(*arguments)
    if code != _SUCCESS:
        raise _Failed(f"{name} failed with code {code}")
