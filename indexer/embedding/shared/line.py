"""Jobs that wait, in the order they came, bounded in number and tokens."""

import time
from collections import deque
from dataclasses import dataclass

from indexer.embedding.shared.job import Job


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait."""

    requests: int = 64
    tokens: int = 65_536


@dataclass(frozen=True, slots=True)
class Piece:
    """Texts of one job that go into the same batch."""

    job: Job
    rows: list[int]  # places in `job.texts`

    @property
    def tokens(self) -> int:
        """Of these texts."""
        return sum(self.job.lengths[row] for row in self.rows)


class Line:
    """Not thread-safe: its queue's lock guards it."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._jobs: deque[Job] = deque()
        self.tokens = 0  # of texts that wait
        self.moved_at = time.monotonic()  # when it last gave texts, or began to hold any

    def __len__(self) -> int:
        return len(self._jobs)

    def has_room(self, tokens: int) -> bool:
        """Whether a job of so many tokens may join; an empty line takes any."""
        if not self._jobs:
            return True
        return (
            len(self._jobs) < self._bounds.requests and self.tokens + tokens <= self._bounds.tokens
        )

    def add(self, job: Job) -> None:
        """Stand behind all others."""
        if not self._jobs:
            self.moved_at = time.monotonic()
        self._jobs.append(job)
        self.tokens += job.tokens

    def discard(self, job: Job) -> bool:
        """Drop what waits of a job; whether anything did."""
        if job not in self._jobs:
            return False
        self._jobs.remove(job)
        self.tokens -= job.drop()
        return True

    def clear(self) -> list[Job]:
        """Drop all; the jobs that waited."""
        jobs = list(self._jobs)
        for job in jobs:
            self.discard(job)
        return jobs

    def take(self, room: int) -> list[Piece]:
        """The next texts, at least one, of as many jobs as fit into `room` tokens together."""
        self.moved_at = time.monotonic()
        pieces: list[Piece] = []
        while self._jobs:
            job = self._jobs[0]
            rows = job.take(room, at_least_one=not pieces)
            if not rows:
                break
            pieces.append(Piece(job, rows))
            self.tokens -= pieces[-1].tokens
            room -= pieces[-1].tokens
            if not job.is_taken:
                break
            self._jobs.popleft()
        return pieces
