"""Which texts the model takes next: questions before documents, no batch too long to wait for."""

import math
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from indexer.embedding.shared.counters import BatchRun, Counters
from indexer.embedding.shared.job import Embedded, Job
from indexer.embedding.shared.line import Bounds, Line, Piece
from indexer.errors import OverloadedError, PlacementError
from indexer.types import Vectors

# A question waits for the batch of documents that the model is at: it takes about this long.
_SLICE_S = 0.25
# But no fewer tokens: shorter batches cost more for each token (see `onnx_cpu`).
_LEAST_SLICE_TOKENS = 256
# Questions without a pause would keep documents waiting for ever: those get one batch in a while.
# Whoever asks meanwhile waits for one batch of documents, as always.
_PATIENCE_S = 1.0
_NEWEST = 0.2  # weight of the newest batch in the speed that is expected of the next
_UNKNOWN_WAIT_S = 5  # to come back in, before any batch was timed
_LONGEST_WAIT_S = 600


class Queue:
    """Two lines of jobs, urgent ones and others. Threads may share it."""

    def __init__(self, bounds: Bounds, workers: int) -> None:
        self._urgent, self._others = Line(bounds), Line(bounds)
        self._workers = workers
        self._changed = threading.Condition()
        self._closed = False
        self._counted = Counters()
        self._tokens_per_s: float | None = None  # of one worker; None until a batch has run

    @property
    def counters(self) -> Counters:
        """What was done so far, and what waits."""
        with self._changed:
            return replace(
                self._counted,
                waiting=len(self._urgent) + len(self._others),
                waiting_tokens=self._urgent.tokens + self._others.tokens,
            )

    def put(self, job: Job, *, urgent: bool, bounded: bool) -> None:
        """Let a job wait.

        Raises:
            OverloadedError: `bounded`, and too much waits already.
            PlacementError: the queue is closed.
        """
        line = self._urgent if urgent else self._others
        with self._changed:
            if self._closed:
                raise closed()
            if bounded and not line.has_room(job.tokens):
                self._count(refused=1)
                raise self._overloaded(line)
            line.add(job)
            self._changed.notify()
        job.future.add_done_callback(partial(self._on_done, job))

    def take(self, batch_tokens: int) -> list[Piece]:
        """The texts of the next batch, waited for; [] when the queue is closed.

        There is no window in which to gather more: what came while the model was busy is together
        by itself, and a question that comes is in the very next batch.
        """
        with self._changed:
            while not self._closed:
                if len(self._urgent) and not self._is_others_turn():
                    return self._urgent.take(batch_tokens)
                if len(self._others):
                    return self._others.take(self._slice_tokens(batch_tokens))
                self._changed.wait()
        return []

    def ran(self, run: BatchRun) -> None:
        """Count a batch, and learn how fast the model is."""
        with self._changed:
            self._count(
                batches=1,
                texts=run.texts,
                tokens=run.tokens,
                repeated=run.repeated,
                busy_s=run.worked_s,
            )
            if run.worked_s > 0 and run.tokens:
                speed = run.tokens / run.worked_s
                known = self._tokens_per_s
                self._tokens_per_s = speed if known is None else known + _NEWEST * (speed - known)

    def deliver(self, piece: Piece, vectors: Vectors, worked_s: float) -> None:
        """Keep the vectors of a piece, and answer its job once it has all."""
        with self._changed:
            answer = piece.job.put(piece.rows, vectors, worked_s)
            if answer is None or not piece.job.settle():
                return
        _answer(piece.job, answer)

    def fail(self, job: Job, error: Exception) -> None:
        """Answer a job with an error; what waits of it is dropped."""
        with self._changed:
            self._discard(job)
            if not job.settle():
                return
            self._count(failed=1)
        _answer(job, error)

    def close(self) -> None:
        """Let nothing wait any more: what does is answered with an error."""
        with self._changed:
            self._closed = True
            jobs = [*self._urgent.clear(), *self._others.clear()]
            self._changed.notify_all()
        for job in jobs:
            self.fail(job, closed())

    def _on_done(self, job: Job, future: Future[Embedded]) -> None:
        """A client that has gone away costs nothing from here on."""
        if not future.cancelled():
            return
        with self._changed:
            self._discard(job)
            if job.settle():
                self._count(dropped=1)

    def _discard(self, job: Job) -> None:
        if not self._urgent.discard(job):
            self._others.discard(job)

    def _is_others_turn(self) -> bool:
        waited_s = time.monotonic() - self._others.moved_at
        return len(self._others) > 0 and waited_s > _PATIENCE_S

    def _slice_tokens(self, batch_tokens: int) -> int:
        """Tokens of a batch of documents, which a question may have to wait for."""
        if self._tokens_per_s is None:
            return batch_tokens
        return min(batch_tokens, max(_LEAST_SLICE_TOKENS, int(self._tokens_per_s * _SLICE_S)))

    def _overloaded(self, line: Line) -> OverloadedError:
        ahead = self._urgent.tokens + (0 if line is self._urgent else self._others.tokens)
        wait_s = _UNKNOWN_WAIT_S
        if self._tokens_per_s:
            wait_s = math.ceil(ahead / (self._tokens_per_s * self._workers))
        wait_s = min(max(1, wait_s), _LONGEST_WAIT_S)
        return OverloadedError(
            f"{len(line)} requests with {line.tokens:,} tokens wait for the model already. "
            f"Ask again in {wait_s} s.",
            retry_after_s=wait_s,
        )

    def _count(self, **more: float) -> None:
        counted = self._counted
        sums = {name: getattr(counted, name) + value for name, value in more.items()}
        self._counted = replace(counted, **sums)


def closed() -> PlacementError:
    """Told to who asks a model that is being closed."""
    return PlacementError("The model is being closed, as the service stops. Ask again in a moment.")


def _answer(job: Job, answer: Embedded | Exception) -> None:
    """Outside the lock: who waits for the future may go on at once."""
    if not job.future.set_running_or_notify_cancel():
        return
    if isinstance(answer, Embedded):
        job.future.set_result(answer)
    else:
        job.future.set_exception(answer)
