"""Peak memory of a process with all that it started, looked at from outside."""

import threading
from types import TracebackType
from typing import Any, Self

import psutil

from indexer.embedding.hardware.gpu import read_gpus

_LOOK_EVERY_S = 0.05  # takes a fifth of a millisecond for each process
_LOOKS_PER_GPU_LOOK = 5  # the driver's library is opened for each


class TreePeak:
    """While open, looks at a process and its descendants, and keeps the greatest sums.

    Resident memory is summed, so pages that several of them share are counted in each; a process
    that lives for less than a look is missed. GPU memory is what the GPUs' free memory lost since
    the start, CUDA's own included: in a container the driver names no processes.
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
        looks = 0
        while not self._end.wait(_LOOK_EVERY_S):
            self.ram_bytes = max(self.ram_bytes, tree_bytes(self._pid))
            if self._free_vram and looks % _LOOKS_PER_GPU_LOOK == 0:
                taken = self._free_vram - _free_vram()
                if taken > 0:
                    self.vram_bytes = max(self.vram_bytes or 0, taken)
            looks += 1


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
