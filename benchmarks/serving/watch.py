"""What a server's process uses while it is asked: processor time, threads, memory."""

import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

_LOOK_EVERY_S = 0.02


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int) -> float:
    """Memory of a process that is in use now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Watch:
    """Looks at a process while the block runs, every 20 ms at its threads, each second at memory.

    `runnable` counts the threads that run or wait for a core. `memory` has rows of (time on the
    clock of `time.monotonic`, MiB).
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.threads = 0
        self.runnable: list[int] = []
        self.memory: list[tuple[float, float]] = []
        self.cpu_s = 0.0

    def __enter__(self) -> Self:
        self.cpu_s = -cpu_s(self._pid)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        self.cpu_s += cpu_s(self._pid)

    def _look(self) -> None:
        tasks = Path(f"/proc/{self._pid}/task")
        while not self._done.wait(_LOOK_EVERY_S):
            states = [_state(task) for task in tasks.iterdir()]
            self.threads = max(self.threads, len(states))
            self.runnable.append(states.count("R"))
            now = time.monotonic()
            if not self.memory or now - self.memory[-1][0] >= 1:
                self.memory.append((now, rss_mib(self._pid)))


def slope_per_minute(samples: Any) -> float:
    """Of (seconds, value) rows, by least squares."""
    seconds, values = np.array(samples).T
    return float(np.polyfit(seconds, values, 1)[0] * 60)


def _state(task: Path) -> str:
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # it has just ended
        return ""
