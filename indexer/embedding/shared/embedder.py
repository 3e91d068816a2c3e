"""A model that many ask at once: their texts wait in one queue and are embedded together.

A result is what the model gives for the same texts alone, up to the rounding that any batch brings:
who else is in the batch is nobody's business.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from copy import copy
from typing import Self, cast

import numpy as np

from indexer.embedding.embedder import Embedder, OnBatch
from indexer.embedding.pooling import finish
from indexer.embedding.shared.counters import BatchRun, Counters
from indexer.embedding.shared.job import Embedded, Job, Text, TokenIds, Way
from indexer.embedding.shared.line import Bounds, Piece
from indexer.embedding.shared.queue import Queue
from indexer.modes import Mode
from indexer.types import Kind, Vectors

OnRun = Callable[[BatchRun], None]


class SharedEmbedder(Embedder):
    """Another embedder behind a queue; that one is its own to close. Threads may share it."""

    def __init__(
        self, inner: Embedder, bounds: Bounds | None = None, on_run: OnRun | None = None
    ) -> None:
        """Start as many workers as the model takes calls at once: one, but for endpoints.

        Args:
            inner: the model; nobody else should ask it.
            bounds: how much may wait, of urgent requests and of others each.
            on_run: hears of each batch, on a worker's thread; must not raise.
        """
        super().__init__(inner.spec, inner.tokenizer, inner.dimension)
        self._inner = inner
        self._on_run = on_run
        self._queue = Queue(bounds or Bounds(), inner.concurrency)
        self._workers = [
            threading.Thread(target=self._work, name=f"embed-{number}", daemon=True)
            for number in range(inner.concurrency)
        ]
        for worker in self._workers:
            worker.start()

    @property
    def mode(self) -> Mode:
        """See `Embedder.mode`."""
        return self._inner.mode

    @property
    def engine(self) -> str:
        """See `Embedder.engine`."""
        return self._inner.engine

    @property
    def batch_tokens(self) -> int:
        """See `Embedder.batch_tokens`."""
        return self._inner.batch_tokens

    @property
    def concurrency(self) -> int:
        """See `Embedder.concurrency`: any number of calls share the batches."""
        return self._inner.concurrency

    @property
    def counters(self) -> Counters:
        """What was done so far, and what waits."""
        return self._queue.counters

    def shortened(self, dimension: int) -> Self:
        """The same model and queue with vectors of fewer values; not to be closed by itself.

        Raises:
            UsageError: the model cannot give that many.
        """
        shorter = copy(self)
        shorter.dimension = self.spec.check_dimension(dimension)
        return shorter

    def submit(
        self,
        texts: Sequence[str],
        kind: Kind,
        instruction: str | None = None,
        *,
        urgent: bool,
        bounded: bool = True,
        lengths: Sequence[int] | None = None,
    ) -> "Future[Embedded]":
        """Ask for vectors without waiting for them. Cancel the future when nobody wants them.

        Args:
            texts: see `embed`.
            kind: see `embed`.
            instruction: see `embed`.
            urgent: goes before what is not: somebody waits for the answer.
            bounded: refuse it when too much waits.
            lengths: `Tokenizer.lengths` of the texts, where the caller knows them.

        Raises:
            OverloadedError: too much waits.
            UsageError: an instruction that this model cannot take.
            PlacementError: the model is being closed.
        """
        if lengths is None:
            lengths = self.tokenizer.lengths(texts, kind, instruction)
        job = Job(texts, lengths, Way(kind, instruction), self.dimension)
        return self._put(job, urgent=urgent, bounded=bounded)

    def submit_ids(
        self, ids: Sequence[Sequence[int]], *, urgent: bool, bounded: bool = True
    ) -> "Future[Embedded]":
        """`submit` for documents that come as token ids; see `embed_ids`."""
        texts = [tuple(item) for item in ids]
        lengths = [len(self.tokenizer.framed(item)) for item in texts]
        job = Job(texts, lengths, Way(Kind.DOCUMENT, as_ids=True), self.dimension)
        return self._put(job, urgent=urgent, bounded=bounded)

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind,
        instruction: str | None = None,
        on_batch: OnBatch | None = None,
    ) -> Vectors:
        """See `Embedder.embed`; queries go first, and no load refuses it: the caller waits.

        `on_batch` is called on a worker's thread.
        """
        lengths = self.tokenizer.lengths(texts, kind, instruction)
        job = Job(texts, lengths, Way(kind, instruction), self.dimension, on_batch)
        future = self._put(job, urgent=kind is Kind.QUERY, bounded=False)
        try:
            return future.result().vectors
        finally:
            future.cancel()  # of no effect unless the wait was interrupted

    def close(self) -> None:
        """Finish the batches under way, answer what waits with an error, and free the model."""
        self._queue.close()
        for worker in self._workers:
            worker.join()
        self._inner.close()

    def _put(self, job: Job, *, urgent: bool, bounded: bool) -> "Future[Embedded]":
        if job.texts:
            self._queue.put(job, urgent=urgent, bounded=bounded)
        else:
            nothing = np.empty((0, self.dimension), dtype=np.float32)
            job.future.set_result(Embedded(nothing, 0, 0.0, 0.0))
        return job.future

    def _work(self) -> None:
        while pieces := self._queue.take(self._inner.batch_tokens):
            ways: dict[Way, list[Piece]] = {}
            for piece in pieces:
                ways.setdefault(piece.job.way, []).append(piece)
            for group in ways.values():
                self._embed_group([p for p in group if not p.job.future.cancelled()])

    def _embed_group(self, group: list[Piece]) -> None:
        """Embed pieces of one way in one call; one by one, if that fails for a reason of theirs."""
        if not group:
            return
        started = time.perf_counter()
        lengths = {
            piece.job.texts[row]: piece.job.lengths[row] for piece in group for row in piece.rows
        }
        try:
            vectors = self._call(list(lengths), group[0].job.way)
        except Exception as error:
            if len(group) > 1 and self._inner.may_be_the_text(error):
                for piece in group:
                    self._embed_group([piece])
            else:
                for piece in group:
                    self._queue.fail(piece.job, error)
            return
        repeated = sum(len(piece.rows) for piece in group) - len(lengths)
        took_s = time.perf_counter() - started
        run = BatchRun(len(lengths), repeated, sum(lengths.values()), took_s)
        self._queue.ran(run)
        if self._on_run is not None:
            self._on_run(run)
        places = {text: place for place, text in enumerate(lengths)}
        for piece in group:
            rows = [places[piece.job.texts[row]] for row in piece.rows]
            self._deliver(piece, _cut(vectors[rows], piece.job.dimension), took_s)

    def _call(self, texts: list[Text], way: Way) -> Vectors:
        if way.as_ids:
            vectors = self._inner.embed_ids(cast("list[TokenIds]", texts))
        else:
            vectors = self._inner.embed(cast("list[str]", texts), way.kind, way.instruction)
        assert vectors.shape == (len(texts), self._inner.dimension)
        return vectors

    def _deliver(self, piece: Piece, vectors: Vectors, worked_s: float) -> None:
        if piece.job.on_batch is not None:
            try:
                piece.job.on_batch(len(piece.rows), piece.tokens)
            except Exception as error:
                self._queue.fail(piece.job, error)
                return
        self._queue.deliver(piece, vectors, worked_s)


def _cut(vectors: Vectors, dimension: int) -> Vectors:
    return vectors if vectors.shape[1] == dimension else finish(vectors, dimension)
