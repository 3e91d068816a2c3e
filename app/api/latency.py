"""How long the latest searches took, for people who look at the status view."""

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

LATEST = 500  # enough that the 95th percentile rests on 25 of them


class Latencies:
    """Durations of the latest searches. Safe to use from several threads."""

    def __init__(self) -> None:
        self.count = 0  # since the service started
        self._latest_ms: deque[float] = deque(maxlen=LATEST)
        self._lock = threading.Lock()

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Time one search; one that fails tells nothing about speed and is left out."""
        started = time.perf_counter()
        yield
        self.add((time.perf_counter() - started) * 1000)

    def add(self, duration_ms: float) -> None:
        """Count one search."""
        with self._lock:
            self.count += 1
            self._latest_ms.append(duration_ms)

    def percentiles_ms(self, *percents: float) -> list[float | None]:
        """The nearest-rank percentiles of the latest searches; None before there are any."""
        with self._lock:
            ordered = sorted(self._latest_ms)
        if not ordered:
            return [None] * len(percents)
        return [ordered[max(1, math.ceil(p / 100 * len(ordered))) - 1] for p in percents]

    @property
    def latest(self) -> int:
        """How many the percentiles rest on."""
        return len(self._latest_ms)
