"""Jobs under way together: bounded, complete, stopped by the first error."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from indexer.embedding.remote.flight import run_ahead


@pytest.mark.parametrize("workers", [1, 3, 50])
def test_every_job_is_done_once(workers: int) -> None:
    with closing(run_ahead(iter(range(20)), lambda job: job * job, workers)) as done:
        assert sorted(done) == [(n, n * n) for n in range(20)]


def test_jobs_are_drawn_when_there_is_room_for_them() -> None:
    """A job drawn holds its texts in memory: never more than are under way."""
    drawn = finished = most = 0
    lock = threading.Lock()

    def jobs() -> Iterator[int]:
        nonlocal drawn, most
        for job in range(30):
            with lock:
                drawn += 1
                most = max(most, drawn - finished)
            yield job

    def work(job: int) -> int:
        nonlocal finished
        time.sleep(0.002)
        with lock:
            finished += 1
        return job

    with closing(run_ahead(jobs(), work, 4)) as done:
        assert len(list(done)) == 30
    assert most <= 4


def test_no_worker_does_nothing() -> None:
    assert list(run_ahead(iter(()), str, 0)) == []


def test_first_error_ends_the_run_and_no_job_is_begun_after_it() -> None:
    begun: list[int] = []

    def work(job: int) -> int:
        begun.append(job)
        if job == 3:
            raise ValueError("job 3")
        time.sleep(0.002)
        return job

    with (
        pytest.raises(ValueError, match="job 3"),
        closing(run_ahead(iter(range(1000)), work, 2)) as done,
    ):
        list(done)
    assert len(begun) < 20


def test_error_of_drawing_a_job_comes_through() -> None:
    def jobs() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"), closing(run_ahead(jobs(), str, 2)) as done:
        list(done)


def test_closing_early_stops_the_workers() -> None:
    begun: list[int] = []

    def work(job: int) -> int:
        begun.append(job)
        time.sleep(0.002)
        return job

    with closing(run_ahead(iter(range(1000)), work, 2)) as done:
        next(done)
    time.sleep(0.05)
    seen = len(begun)
    time.sleep(0.05)
    assert len(begun) == seen < 100
