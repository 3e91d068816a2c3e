"""Several jobs under way at once, none started before there is room for it."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

# A wait without an end cannot be interrupted by Ctrl-C on Windows.
_LOOK_UP_EVERY_S = 1.0


def run_ahead(
    jobs: Iterator[Job], work: Callable[[Job], Result], workers: int
) -> Generator[tuple[Job, Result], None, None]:
    """(job, result) as results come, any order; at most `workers` jobs are under way.

    The jobs are drawn one by one, when a worker is free, by one thread at a time. The threads are
    daemons: after Ctrl-C nobody waits for a server that does not answer.

    Raises:
        BaseException: the first error of a job, or of drawing one. No further job is begun then.
    """
    done: queue.SimpleQueue[tuple[Job, Result] | BaseException | None] = queue.SimpleQueue()
    drawing = threading.Lock()
    stopped = threading.Event()

    def run() -> None:
        try:
            while not stopped.is_set():
                with drawing:
                    drawn = list(islice(jobs, 1))
                if not drawn:
                    break
                done.put((drawn[0], work(drawn[0])))
            done.put(None)
        except BaseException as error:
            done.put(error)

    for _ in range(workers):
        threading.Thread(target=run, name="remote-embedding", daemon=True).start()
    try:
        while workers:
            item = _next(done)
            if item is None:
                workers -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item
    finally:
        stopped.set()


def _next(
    done: "queue.SimpleQueue[tuple[Job, Result] | BaseException | None]",
) -> tuple[Job, Result] | BaseException | None:
    while True:
        try:
            return done.get(timeout=_LOOK_UP_EVERY_S)
        except queue.Empty:
            continue
