"""Requests take turns on the cores, by the one setting; what waits for a model waits beside them.

More threads than cores would not answer sooner: they take the cores from one another, and from the
model's own threads, in the middle of their work. Nor would more requests than the setting says:
each would only wait longer for its turn.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import current_default_thread_limiter, run_sync

from app.settings import Settings
from app.threads import requests_at_once
from indexer.errors import OverloadedError

T = TypeVar("T")

_WAITING = 32  # requests that wait for models, which may take as long as a download
_NEWEST = 0.1  # weight of the newest request in the time that is expected of the next
_LONGEST_WAIT_S = 600
# Once requests had to be sent away, so few are let in for each that is under way: more come than
# can be answered, and in a long line all that are let in would wait as long as it is.
_SHORT_LINE = 8
_SHORT_FOR_S = 5.0  # after the last that was sent away


class Turns:
    """Who may run a thread. Plain routes take a turn without asking: FastAPI's threads are these.

    `threads.requests_at_once` says how many are under way. Beside them runs the model, one batch
    at a time, whose own threads are as many as the setting says.
    """

    def __init__(self, settings: Settings) -> None:
        self.at_once = requests_at_once(settings)
        self._most = self.at_once + settings.queue_requests
        self._short_until = 0.0  # by `time.monotonic`
        self.taken = 0  # places; only the event loop's thread counts
        self.refused = 0
        self._stay_s = 0.0  # how long a request is here
        self._waiting = CapacityLimiter(_WAITING)
        self._writing = CapacityLimiter(1)
        self._loaded: set[str] = set()

    @property
    def most_places(self) -> int:
        """As many requests as there may ever be."""
        return self._most

    @property
    def places(self) -> int:
        """As many as may be now: fewer while more come than can be answered.

        A burst, or clients that wait for each other, find the whole line. A flood fills it within
        moments, and for as long as it lasts those let in wait for a short line instead.
        """
        is_flooded = time.monotonic() < self._short_until
        return min(self._most, self.at_once * _SHORT_LINE) if is_flooded else self._most

    def start(self) -> None:
        """Share the cores; call once inside the event loop that serves."""
        current_default_thread_limiter().total_tokens = self.at_once

    @contextmanager
    def place(self) -> Iterator[None]:
        """A request with work to do, from its first step to its last; on the event loop.

        Raises:
            OverloadedError: as many as may are here already.
        """
        if self.taken >= self.places:
            self.refused += 1
            self._short_until = time.monotonic() + _SHORT_FOR_S
            wait_s = min(max(1, math.ceil(self._stay_s)), _LONGEST_WAIT_S)
            raise OverloadedError(
                f"{self.taken} requests are under way or wait already, as many as may. "
                f"Ask again in {wait_s} s.",
                retry_after_s=wait_s,
            )
        self.taken += 1
        started = time.monotonic()
        try:
            yield
        finally:
            self.taken -= 1
            self._stay_s += _NEWEST * (time.monotonic() - started - self._stay_s)

    async def load(self, needs: Iterable[str], load: Callable[[], bool]) -> None:
        """Wait, beside the turns, for what a request needs.

        Args:
            needs: names what must be loaded first; () for nothing.
            load: loads it, taking as long as it takes, and says whether it is there to stay.
        """
        if not self._loaded.issuperset(needs) and await self.beside(load):
            self._loaded.update(needs)

    async def beside(self, work: Callable[[], T]) -> T:
        """What `work` gives, on a thread that is no turn: it waits for models most of its time."""
        return await run_sync(work, limiter=self._waiting)

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` gives, on a thread."""
        return await run_sync(work)

    async def write(self, work: Callable[[], T]) -> T:
        """What `work`, which writes to a collection, gives: one after another, beside the turns.

        They would only refuse each other the lock; and one that waits here holds no thread.
        """
        return await run_sync(work, limiter=self._writing)
