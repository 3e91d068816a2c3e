"""GPUs through a stand-in for the driver's library: all well, partly broken, hidden."""

from collections.abc import Callable
from typing import Any

import pytest

from indexer.embedding.hardware import gpu as module
from indexer.embedding.hardware.gpu import read_gpus

GIB = 1 << 30
NAMES = ["NVIDIA H200", "Tesla T4"]
UUIDS = ["GPU-aaaa1111", "GPU-bbbb2222"]
NUMBERS = {
    "nvmlDeviceGetMemoryBusWidth": [6144, 256],
    "nvmlDeviceGetMaxPcieLinkGeneration": [5, 3],
    "nvmlDeviceGetMaxPcieLinkWidth": [16, 16],
    "nvmlDeviceGetNumGpuCores": [16896, 2560],
}
CLOCKS_MHZ = {1: [1980, 1590], 2: [3201, 5001]}


class Driver:
    """libnvidia-ml with two cards. `broken` maps a function to the code it fails with."""

    def __init__(self, broken: dict[str, int] | None = None, missing: str = "") -> None:
        self._broken = broken or {}
        self._missing = missing
        self.shut_down = 0

    def __getattr__(self, name: str) -> Callable[..., int]:
        if name == self._missing:
            raise AttributeError(name)
        return lambda *arguments: self._broken.get(name) or self._call(name, *arguments)

    def _call(self, name: str, *arguments: Any) -> int:
        if name == "nvmlShutdown":
            self.shut_down += 1
        elif name == "nvmlDeviceGetCount_v2":
            arguments[0]._obj.value = 2
        elif name == "nvmlSystemGetDriverVersion":
            arguments[0].value = b"580.1"
        elif name == "nvmlDeviceGetHandleByIndex_v2":
            arguments[1]._obj.value = 100 + arguments[0]
        elif name != "nvmlInit_v2":
            self._read(name, arguments[0].value - 100, *arguments[1:])
        return 0

    def _read(self, name: str, card: int, *arguments: Any) -> None:
        if name == "nvmlDeviceGetName":
            arguments[0].value = NAMES[card].encode()
        elif name == "nvmlDeviceGetUUID":
            arguments[0].value = UUIDS[card].encode()
        elif name == "nvmlDeviceGetMemoryInfo":
            memory = arguments[0]._obj
            memory.total, memory.free = [(141 * GIB, 140 * GIB), (16 * GIB, 3 * GIB)][card]
        elif name == "nvmlDeviceGetCudaComputeCapability":
            major, minor = [(9, 0), (7, 5)][card]
            arguments[0]._obj.value, arguments[1]._obj.value = major, minor
        elif name == "nvmlDeviceGetMaxClockInfo":
            arguments[1]._obj.value = CLOCKS_MHZ[arguments[0]][card]
        else:
            arguments[0]._obj.value = NUMBERS[name][card]


def test_both_cards_are_read() -> None:
    driver = Driver()
    (first, second), notes = read_gpus(library=driver)
    assert (first.name, first.capability, first.driver) == ("NVIDIA H200", (9, 0), "580.1")
    assert (second.total_bytes, second.free_bytes) == (16 * GIB, 3 * GIB)
    # Data sheets: 4.8 TB/s and 320 GB/s; generation 3 with 16 lanes carries 15.75 GB/s.
    assert first.memory_bytes_per_s == pytest.approx(4.9e12, rel=0.02)
    assert second.memory_bytes_per_s == pytest.approx(320e9, rel=0.01)
    assert 11e9 < second.pcie_bytes_per_s < 15.75e9
    assert driver.shut_down == 1
    assert any("CUDA_DEVICE_ORDER" in note for note in notes)


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("0", ["NVIDIA H200"]),
        ("1", ["Tesla T4"]),
        ("1,0", ["Tesla T4", "NVIDIA H200"]),
        ("GPU-bbbb", ["Tesla T4"]),
        ("", []),
        ("-1", []),
        ("0,7,1", ["NVIDIA H200"]),
        ("MIG-1234", []),
        ("no such", []),
    ],
)
def test_visible_devices_choose_as_cuda_does(visible: str, names: list[str]) -> None:
    gpus, notes = read_gpus(visible, Driver())
    assert [gpu.name for gpu in gpus] == names
    assert [gpu.index for gpu in gpus] == list(range(len(names)))
    assert len(names) == 2 or any(f"CUDA_VISIBLE_DEVICES={visible!r}" in note for note in notes)


def test_driver_that_does_not_answer_is_noted() -> None:
    gpus, notes = read_gpus(library=Driver({"nvmlInit_v2": 18}))
    assert gpus == ()
    assert notes == ["GPU: nvmlInit_v2 failed with code 18; the NVIDIA driver does not answer"]


def test_one_lost_card_leaves_the_other() -> None:
    class HalfLost(Driver):
        def _read(self, name: str, card: int, *arguments: Any) -> None:
            super()._read(name, card, *arguments)

        def _call(self, name: str, *arguments: Any) -> int:
            if name == "nvmlDeviceGetMemoryInfo" and arguments[0].value == 100:
                return 15  # NVML_ERROR_GPU_IS_LOST
            return super()._call(name, *arguments)

    gpus, notes = read_gpus(library=HalfLost())
    assert [gpu.name for gpu in gpus] == ["Tesla T4"]
    assert notes == ["GPU 0: nvmlDeviceGetMemoryInfo failed with code 15; it is not used"]


@pytest.mark.parametrize("name", [*NUMBERS, "nvmlDeviceGetMaxClockInfo", "nvmlDeviceGetUUID"])
def test_what_only_refines_may_be_missing(name: str) -> None:
    gpus, _ = read_gpus(library=Driver(missing=name))
    assert len(gpus) == 2


def test_without_a_driver_there_is_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> Any:
        raise OSError("cannot open shared object file")

    monkeypatch.setattr(module.ctypes, "CDLL", absent)
    monkeypatch.setattr(module.Path, "exists", lambda _path: False)
    assert read_gpus() == ((), [])


def test_device_without_its_library_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> Any:
        raise OSError("cannot open shared object file")

    monkeypatch.setattr(module.ctypes, "CDLL", absent)
    monkeypatch.setattr(module.Path, "exists", lambda _path: True)
    gpus, notes = read_gpus()
    assert gpus == ()
    assert any("libnvidia-ml.so.1" in note for note in notes)
    assert any("AMD" in note for note in notes)
