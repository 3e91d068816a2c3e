"""Requests take turns on the cores, by the one setting; what waits for a model waits beside them.

More threads than cores would not answer sooner: they take the cores from one another, and from the
model's own threads, in the middle of their work.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import current_default_thread_limiter, run_sync

from app.settings import Settings
from app.threads import requests_at_once

T = TypeVar("T")

_WAITING = 32  # requests that wait for models to load, which may take as long as a download


class Turns:
    """Who may run a thread. Plain routes take a turn without asking: FastAPI's threads are these.

    `threads.requests_at_once` says how many are under way. One of them at a time may be in the
    local model, whose own threads are as many as the setting says.
    """

    def __init__(self, settings: Settings) -> None:
        self.at_once = requests_at_once(settings)
        self._waiting = CapacityLimiter(_WAITING)
        self._writing = CapacityLimiter(1)
        self._loaded: set[str] = set()

    def start(self) -> None:
        """Share the cores; call once inside the event loop that serves."""
        current_default_thread_limiter().total_tokens = self.at_once

    async def run(self, work: Callable[[], T], needs: Iterable[str], load: Callable[[], bool]) -> T:
        """What `work` gives, on a thread.

        Args:
            work: the request.
            needs: names what must be loaded first; () for nothing.
            load: loads it, taking as long as it takes, and says whether it is there to stay.
        """
        if not self._loaded.issuperset(needs) and await run_sync(load, limiter=self._waiting):
            self._loaded.update(needs)
        return await run_sync(work)

    async def write(self, work: Callable[[], T]) -> T:
        """What `work`, which writes to a collection, gives: one after another, beside the turns.

        They would only refuse each other the lock; and one that waits here holds no thread.
        """
        return await run_sync(work, limiter=self._writing)
