"""Two devices without a GPU: one whose time is counted, one whose copies really take time."""

import threading
from dataclasses import dataclass, field
from queue import Queue
from typing import Any

import torch


@dataclass(frozen=True)
class Span:
    """When a copy into a buffer, or a computation on it, ran."""

    layer: int
    buffer: int  # its address
    start: float
    end: float


@dataclass
class Simulated:
    """A `Copies` in simulated time: two queues, one for copies, one for computing.

    Marks are points in time. Nothing is simulated but the order of things: the bytes move at once.
    """

    copy_s: float
    compute_s: float
    unpinned_bytes: int = 0
    copying_until: float = 0.0
    computing_until: float = 0.0
    copies: list[Span] = field(default_factory=list)
    computed: list[Span] = field(default_factory=list)
    closed: bool = False
    fail_at: int = -1  # the copy that raises

    def pin(self, tensor: torch.Tensor) -> None:
        assert tensor.device.type == "cpu"

    def copy(self, source: torch.Tensor, target: torch.Tensor, after: float) -> float:
        if len(self.copies) == self.fail_at:
            self.fail_at = -1
            target.fill_(255)  # half done: what was in the buffer is gone
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        start = max(self.copying_until, after)
        self.copying_until = start + self.copy_s
        target.copy_(source)
        layer = int(source[0])
        self.copies.append(Span(layer, target.data_ptr(), start, self.copying_until))
        return self.copying_until

    def wait(self, mark: float) -> None:
        self.computing_until = max(self.computing_until, mark)

    def mark(self) -> float:
        return self.computing_until

    def finish(self) -> None:
        self.computing_until = max(self.computing_until, self.copying_until)

    def close(self) -> None:
        self.finish()
        self.closed = True

    def compute(self, layer: int, buffer: int) -> None:
        """What the forward hands in for a layer whose weights lie in `buffer`."""
        start = self.computing_until
        self.computing_until += self.compute_s
        self.computed.append(Span(layer, buffer, start, self.computing_until))


class Slow:
    """A `Copies` whose copies really happen later, on a thread, one after the other.

    Until a copy is waited for, its target holds garbage: whoever computes too early is found out.
    """

    unpinned_bytes = 0

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._jobs: Queue[tuple[Any, ...] | None] = Queue()
        self._done: list[threading.Event] = []
        self._gate = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            source, target, done = job
            self._gate.wait(self._delay_s)  # never set: a sleep that ends with the device
            target.copy_(source)
            done.set()

    def pin(self, tensor: torch.Tensor) -> None:
        assert tensor.device.type == "cpu"

    def copy(self, source: torch.Tensor, target: torch.Tensor, after: None) -> threading.Event:
        target.fill_(0x7F)  # bfloat16 and float32 of these bytes are huge
        done = threading.Event()
        self._done.append(done)
        self._jobs.put((source, target, done))
        return done

    def wait(self, mark: threading.Event) -> None:
        assert mark.wait(10)

    def mark(self) -> None:
        """Computing on the processor is done when it returns."""

    def finish(self) -> None:
        for done in self._done:
            assert done.wait(10)
        self._done.clear()

    def close(self) -> None:
        self.finish()
        self._jobs.put(None)
        self._thread.join(10)
