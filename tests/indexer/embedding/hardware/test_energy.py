"""Counters of joules: of packages, over their end, of GPUs; absent or closed, never an error."""

import ctypes
from pathlib import Path
from types import SimpleNamespace

import pytest

from indexer.embedding.hardware.energy import EnergyCounter


def package(folder: Path, name: str, microjoules: int, highest: int = 10_000_000) -> Path:
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "max_energy_range_uj").write_text(f"{highest}\n")
    (folder / name / "energy_uj").write_text(f"{microjoules}\n")
    return folder / name / "energy_uj"


def no_gpu() -> SimpleNamespace:
    return SimpleNamespace(nvmlInit_v2=lambda: 1)


def test_packages_are_summed_and_their_parts_are_not(tmp_path: Path) -> None:
    first = package(tmp_path, "intel-rapl:0", 1_000_000)
    second = package(tmp_path, "intel-rapl:1", 9_000_000)
    core = package(tmp_path, "intel-rapl:0:0", 500_000)
    counter = EnergyCounter(tmp_path, no_gpu())
    first.write_text("3500000\n")
    second.write_text("1000000\n")  # it passed 10 J and began anew
    core.write_text("2500000\n")
    assert counter.joules() == pytest.approx(2.5 + 2.0)


@pytest.mark.parametrize("content", [None, "", "closed"])
def test_no_counter_that_can_be_read_gives_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        package(tmp_path, "intel-rapl:0", 0).write_text(content)
    assert EnergyCounter(tmp_path, no_gpu()).joules() is None


def test_gpus_are_counted_and_one_that_does_not_tell_is_left_out(tmp_path: Path) -> None:
    used = [1_000, 40_000]

    def count(pointer: object) -> int:
        pointer._obj.value = 3  # type: ignore[attr-defined]
        return 0

    def handle(index: int, pointer: object) -> int:
        pointer._obj.value = index + 1  # type: ignore[attr-defined]
        return 0

    def energy(of: ctypes.c_void_p, pointer: object) -> int:
        if of.value == 3:
            return 3  # NVML_ERROR_NOT_SUPPORTED: older than Volta
        pointer._obj.value = used[(of.value or 0) - 1]  # type: ignore[attr-defined]
        return 0

    library = SimpleNamespace(
        nvmlInit_v2=lambda: 0,
        nvmlShutdown=lambda: 0,
        nvmlDeviceGetCount_v2=count,
        nvmlDeviceGetHandleByIndex_v2=handle,
        nvmlDeviceGetTotalEnergyConsumption=energy,
    )
    counter = EnergyCounter(tmp_path, library)
    used[:] = [3_000, 41_500]
    assert counter.joules() == pytest.approx(3.5)
