"""Peak memory of a process with all that it started, looked at from outside."""

import threading
from types import TracebackType
from typing import Any, Self

import psutil

from indexer.embedding.hardware.gpu import read_gpus

# A look reads the parents of all processes: 1.0 ms on a machine with 65 of them, by hand. Every
# 50 ms it would take 2 % of a core from what is being measured, and on a desktop more.
_LOOK_EVERY_S = 0.25


class TreePeak:
    """While open, looks at a process and its descendants, and keeps the greatest sums.

    Resident memory is summed, so pages that several of them share are counted in each; what lasts
    for less than the time between two looks is missed, so take a process's own peak beside it. GPU
    memory is what the GPUs' free memory lost since the start, CUDA's own included: in a container
    the driver names no processes.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._end = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._free_vram = _free_vram()
        self.ram_bytes = 0
        self.vram_bytes: int | None = None  # None: no GPU memory was taken

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._end.wait(_LOOK_EVERY_S):
            self.ram_bytes = max(self.ram_bytes, tree_bytes(self._pid))
            if self._free_vram:
                taken = self._free_vram - _free_vram()
                if taken > 0:
                    self.vram_bytes = max(self.vram_bytes or 0, taken)


def tree_bytes(pid: int) -> int:
    """Resident bytes of a process and all its descendants; 0 once it has ended."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(_resident(process) for process in family)


def _resident(process: Any) -> int:
    try:
        return int(process.memory_info().rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def _free_vram() -> int:
    return sum(gpu.free_bytes for gpu in read_gpus()[0])
