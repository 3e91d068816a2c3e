"""Prepare files in worker processes, in order and in bounded memory.

Python parses on one core per process; with a fast model (or none) preparing is what limits
indexing, so large runs use worker processes. They are spawned, never forked: the parent holds
model threads.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from indexer.errors import ReadError
from indexer.pipeline.prepare import Job, Outcome, PrepareOptions, Preparer

# A task is worth the trip to another process at a few dozen small files, and must not hold much
# memory: whichever comes first closes it.
TASK_FILES = 64
TASK_BYTES = 1 << 20
# Below this many files, starting processes (about 0.5 s each) costs more than it saves.
MIN_FILES_FOR_WORKERS = 400

_preparer: Preparer | None = None  # of a worker process, set by _start_worker


def prepare_all(jobs: list[Job], options: PrepareOptions, workers: int) -> Iterator[Outcome]:
    """Outcomes in the order of `jobs`; in this process when `workers` is 0 or the jobs are few."""
    if workers == 0 or len(jobs) < MIN_FILES_FOR_WORKERS:
        with Preparer(options) as preparer:
            for job in jobs:
                yield preparer.prepare(job)
        return
    yield from _prepare_in_workers(jobs, options, workers)


def _prepare_in_workers(
    jobs: list[Job], options: PrepareOptions, workers: int
) -> Iterator[Outcome]:
    pool = ProcessPoolExecutor(
        max_workers=workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(options,),
    )
    waiting: deque[Future[list[Outcome]]] = deque()
    try:
        for task in _tasks(jobs):
            waiting.append(pool.submit(_work, task))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool:
        raise ReadError(
            "A worker process that reads files was killed, most often for lack of memory. "
            "What was committed is safe; run the same command again to go on."
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _tasks(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    task: list[Job] = []
    size = 0
    for job in jobs:
        task.append(job)
        size += job.file.size_bytes
        if len(task) >= TASK_FILES or size >= TASK_BYTES:
            yield task
            task, size = [], 0
    if task:
        yield task


def _start_worker(options: PrepareOptions) -> None:
    """Runs once in each worker process."""
    global _preparer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _preparer = Preparer(options)
    _preparer.__enter__()


def _end_with_parent() -> None:
    """A parent killed with -9 cannot tell its workers; without this they would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(task: list[Job]) -> list[Outcome]:
    assert _preparer is not None, "the pool's initializer ran"
    return [_preparer.prepare(job) for job in task]
