"""Cores within affinity and quota; instruction sets under one name."""

import os
import sys
from pathlib import Path

import pytest

from indexer.embedding.hardware.cpu import read_cpu, threads_for
from indexer.embedding.hardware.machine import Cpu

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc and /sys")


def machine(root: Path, siblings: int, cpuinfo: str) -> Path:
    """Eight logical cores in one package, `siblings` to a physical one."""
    for index in range(8):
        topology = root / f"sys/devices/system/cpu/cpu{index}/topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text("0\n")
        (topology / "core_id").write_text(f"{index // siblings}\n")
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text(cpuinfo)
    return root


INTEL = "processor\t: 0\nmodel name\t: Fast One\nflags\t\t: fpu avx2 avx512f avx512_vnni ermsb\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm crc32\n"


@linux
def test_hyper_threads_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    cpu, notes = read_cpu(machine(tmp_path, 2, INTEL))
    assert (cpu.physical_cores, cpu.logical_cores, notes) == (4, 8, [])
    assert cpu.name == "Fast One"
    assert cpu.flags == {"avx2", "avx512f", "avx512_vnni"}


@linux
def test_affinity_to_both_threads_of_one_core_is_one_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {2, 3})
    cpu, _ = read_cpu(machine(tmp_path, 2, INTEL))
    assert (cpu.physical_cores, cpu.logical_cores) == (1, 2)


@linux
def test_arm_features_get_our_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    cpu, _ = read_cpu(machine(tmp_path, 1, ARM))
    assert cpu.flags == {"neon", "dotprod", "i8mm"}


@linux
def test_unreadable_machine_leaves_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2})
    cpu, notes = read_cpu(tmp_path)
    assert (cpu.physical_cores, cpu.quota_cores, cpu.flags) == (3, None, frozenset())
    assert any("/proc/cpuinfo" in note for note in notes)
    assert any("hyper-threads" in note for note in notes)


@pytest.mark.parametrize(
    ("physical", "quota", "threads"),
    [(8, None, 8), (8, 16.0, 8), (8, 3.9, 3), (8, 1.0, 1), (8, 0.5, 1), (1, 2.0, 1)],
)
def test_threads_stay_within_cores_and_quota(
    physical: int, quota: float | None, threads: int
) -> None:
    assert threads_for(Cpu("x", physical, 2 * physical, quota)) == threads
