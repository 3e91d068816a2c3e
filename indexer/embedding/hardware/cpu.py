"""The processor: cores this process may run on, quota, name, instruction sets that matter here."""

import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

from indexer.embedding.hardware import cgroup, system_calls
from indexer.embedding.hardware.machine import Cpu

# What matrix products gain from, under one name each, and how Linux (x86, ARM) writes it.
KNOWN_FLAGS = {
    "avx2": "avx2",
    "avx512f": "avx512f",
    "avx512_vnni": "avx512_vnni",
    "avx_vnni": "avx_vnni",
    "avx512_bf16": "avx512_bf16",
    "amx_int8": "amx_int8",
    "amx_bf16": "amx_bf16",
    "asimd": "neon",
    "neon": "neon",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "sve": "sve",
    "bf16": "bf16",
}


def read_cpu(root: Path = Path("/")) -> tuple[Cpu, list[str]]:
    """(the processor, notes on what could not be found)."""
    notes: list[str] = []
    allowed = _allowed(notes)
    if sys.platform.startswith("linux"):
        name, flags = _from_cpuinfo(root, notes)
        physical = _physical_linux(root, allowed)
        quota = cgroup.quota_cores(root)
    else:
        name, flags, physical = _elsewhere(notes)
        quota = None
    count = len(allowed)
    if physical is None:
        notes.append("cores: hyper-threads cannot be told apart; every logical core is counted")
        physical = count
    return Cpu(name or platform.machine(), max(1, min(physical, count)), count, quota, flags), notes


def threads_for(cpu: Cpu) -> int:
    """Threads that serve matrix products best, where nobody asked for a number.

    Physical cores only: two hyper-threads share one multiplier. Within the quota of the container,
    rounded down: a thread beyond it makes the kernel stop all of them for the rest of the period.
    """
    if cpu.quota_cores is None:
        return cpu.physical_cores
    return max(1, min(cpu.physical_cores, int(cpu.quota_cores)))


def _allowed(notes: list[str]) -> set[int]:
    """Logical cores that this process may run on."""
    if sys.platform != "win32" and sys.platform != "darwin":
        try:
            return os.sched_getaffinity(0)
        except OSError as error:
            notes.append(f"affinity: not readable ({error.strerror}); all cores are counted")
    return set(range(os.cpu_count() or 1))


def _from_cpuinfo(root: Path, notes: list[str]) -> tuple[str, frozenset[str]]:
    """(name, flags) from /proc/cpuinfo; x86 says "flags", ARM "Features"."""
    try:
        text = (root / "proc/cpuinfo").read_text(errors="replace")
    except OSError as error:
        notes.append(f"/proc/cpuinfo: not readable ({error.strerror}); instruction sets unknown")
        return "", frozenset()
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    words = (fields.get("flags") or fields.get("Features") or "").split()
    return fields.get("model name", ""), known_flags(words)


def known_flags(words: Iterable[str]) -> frozenset[str]:
    """The flags among them that matter, under our names."""
    return frozenset(KNOWN_FLAGS[word] for word in words if word in KNOWN_FLAGS)


def _physical_linux(root: Path, allowed: set[int]) -> int | None:
    """Distinct cores among the allowed logical ones."""
    cores = set()
    for index in allowed:
        topology = root / f"sys/devices/system/cpu/cpu{index}/topology"
        try:
            package = (topology / "physical_package_id").read_text().strip()
            cores.add((package, (topology / "core_id").read_text().strip()))
        except OSError:
            return None
    return len(cores) or None


def _elsewhere(notes: list[str]) -> tuple[str, frozenset[str], int | None]:
    """(name, flags, physical cores) on macOS and Windows."""
    try:
        if sys.platform == "darwin":
            return system_calls.mac_cpu()
        if sys.platform == "win32":
            return system_calls.windows_cpu()
    except (OSError, AttributeError, ValueError) as error:
        notes.append(f"processor: details not readable ({error})")
        return platform.processor(), frozenset(), None
    notes.append(f"processor: details are not read on {sys.platform}")
    return platform.processor(), frozenset(), None
