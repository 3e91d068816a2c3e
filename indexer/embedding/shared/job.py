"""The texts of one request on their way through the model, slice by slice."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from indexer.embedding.batching import by_length
from indexer.embedding.embedder import OnBatch
from indexer.types import Kind, Vectors

TokenIds = tuple[int, ...]
Text = str | TokenIds


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors and what they took."""

    vectors: Vectors  # as `Embedder.embed` gives them
    tokens: int
    waited_s: float  # until the first of its texts went into the model
    worked_s: float  # that the model spent on batches with its texts


@dataclass(frozen=True, slots=True)
class Way:
    """What decides whether texts can go through the model in one call."""

    kind: Kind
    instruction: str | None = None
    as_ids: bool = False


class Job:
    """Not thread-safe: its queue's lock guards all but the future.

    The future stays cancellable until the vectors are there, so that a client who leaves in the
    middle of a long job stops it.
    """

    def __init__(
        self,
        texts: Sequence[Text],
        lengths: Sequence[int],
        way: Way,
        dimension: int,
        on_batch: OnBatch | None = None,
    ) -> None:
        self.texts = texts
        self.lengths = lengths
        self.way = way
        self.dimension = dimension
        self.on_batch = on_batch
        self.future: Future[Embedded] = Future()
        self._order = by_length(lengths)  # as the model would batch them by itself
        self._taken = self._answered = 0
        self._vectors = np.empty((len(texts), dimension), dtype=np.float32)
        self._queued_at = time.monotonic()
        self._waited_s = self._worked_s = 0.0
        self._settled = False

    @property
    def tokens(self) -> int:
        """Of all its texts."""
        return sum(self.lengths)

    @property
    def is_taken(self) -> bool:
        """Whether no text waits any more."""
        return self._taken == len(self.texts)

    def take(self, room: int, *, at_least_one: bool) -> list[int]:
        """Places of the next texts, longest first, that fit into one padded batch of `room` tokens.

        Args:
            room: tokens.
            at_least_one: one text comes even if it is longer.
        """
        longest = max(1, self.lengths[self._order[self._taken]])
        count = max(room // longest, int(at_least_one))
        rows = self._order[self._taken : self._taken + count]
        if rows and not self._taken:
            self._waited_s = time.monotonic() - self._queued_at
        self._taken += len(rows)
        return rows

    def drop(self) -> int:
        """Take what waits without a use for it; its tokens."""
        rest = self._order[self._taken :]
        self._taken = len(self._order)
        return sum(self.lengths[row] for row in rest)

    def put(self, rows: Sequence[int], vectors: Vectors, worked_s: float) -> Embedded | None:
        """Keep the vectors of these texts; the whole answer once it is complete."""
        self._vectors[rows] = vectors
        self._answered += len(rows)
        self._worked_s += worked_s
        if self._answered < len(self.texts):
            return None
        return Embedded(self._vectors, self.tokens, self._waited_s, self._worked_s)

    def settle(self) -> bool:
        """Whether who asked is still to be answered: True once."""
        first, self._settled = not self._settled, True
        return first
