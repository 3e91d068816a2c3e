"""The contract of every way to run a model: token ids in, pooled vectors out.

A runtime is imported only when chosen (`embedder.open_embedder`). It must give the same vector for
the same ids
whatever else is in the batch (up to rounding), and it survives running out of memory by halving
the batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.embedding.batching import padded_batch_size
from indexer.errors import PlacementError
from indexer.modes import Mode, Placement, Precision
from indexer.types import Vectors

# Padded tokens in one batch. The largest transient is the MLP: tokens x 3 x intermediate size in
# fp32, for Qwen3-0.6B 36 kB a token. Beyond these sizes a batch is not faster, only larger.
_CPU_BATCH_TOKENS = 4096
_GPU_BATCH_TOKENS = 16384

TokenBatch = Sequence[Sequence[int]]  # ids of each text, special tokens included, unpadded


def default_batch_tokens(placement: Placement) -> int:
    """Padded tokens in one batch where nobody asked for a number."""
    return _GPU_BATCH_TOKENS if placement is Placement.GPU else _CPU_BATCH_TOKENS


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """Where weights stay that do not fit into RAM."""

    ram_bytes: int  # of weights that may stay in RAM
    folder: Path  # on a disk: a folder for them is made in it, and goes with the model


class Runtime(ABC):
    """A loaded model. Not thread-safe: `Embedder` holds a lock around it."""

    placement: Placement
    precision: Precision
    hidden_size: int
    max_batch_tokens: int  # padded tokens that fit in one batch; shrinks when memory runs out
    keeps_beginnings = False  # whether `expect` makes texts that come one by one cheaper

    @property
    def mode(self) -> Mode:
        """Where and in which precision it runs."""
        return Mode(self.placement, self.precision)

    def batch_size(self, lengths: Sequence[int]) -> int:
        """How many of the next sequences go into one batch, at least 1.

        Args:
            lengths: tokens of all sequences still to come, longest first, not empty.
        """
        return padded_batch_size(lengths, self.max_batch_tokens)

    def batch_tokens(self, batch: TokenBatch) -> int:
        """What a non-empty batch counts against `max_batch_tokens`: its padded size."""
        return len(batch) * max(len(ids) for ids in batch)

    def expect(self, beginning: Sequence[int]) -> None:
        """Texts that begin with these tokens are coming; a runtime may compute those once."""
        del beginning

    def forget(self, beginning: Sequence[int]) -> None:
        """No more texts begin with these tokens: what was kept of them may go."""
        del beginning

    @abstractmethod
    def forward(self, batch: TokenBatch) -> Vectors:
        """Pooled, unnormalised vectors of a non-empty batch.

        float32, shape (n, hidden_size), input order.

        Raises whatever the backend raises when memory runs out; `is_out_of_memory` must recognise
        it.
        """

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether a smaller batch could succeed where this error was raised."""
        return isinstance(error, MemoryError)

    def release_memory(self) -> None:
        """Give cached memory back after a failed batch."""
        return

    def forward_fp32(self, batch: TokenBatch) -> Vectors | None:
        """`forward` in fp32, for texts whose vectors came out non-finite; None: fp32 already."""
        del batch
        return None

    def close(self) -> None:
        """Free the model. The runtime cannot be used afterwards."""
        return

    def embed_tokens(self, batch: TokenBatch) -> Vectors:
        """Pooled, unnormalised vectors: float32, shape (n, hidden_size), input order. May hold NaN.

        Out of memory halves the batch, lowers `max_batch_tokens` for the batches to come, and goes
        on.
        A sequence without tokens gives a zero vector, as sentence-transformers does.

        Raises:
            PlacementError: a single text does not fit in memory.
        """
        vectors = np.zeros((len(batch), self.hidden_size), dtype=np.float32)
        pending = [[i for i, ids in enumerate(batch) if ids]]
        while pending:
            indices = pending.pop()
            if not indices:
                continue
            answer = self._try_forward([batch[i] for i in indices])
            if answer is None:
                half = len(indices) // 2
                pending += [indices[half:], indices[:half]]
            else:
                vectors[indices] = answer
        return vectors

    def _try_forward(self, batch: TokenBatch) -> Vectors | None:
        """The vectors, or None when memory ran out on a batch that can be halved."""
        try:
            return self.forward(batch)
        except Exception as error:
            if not self.is_out_of_memory(error):
                raise
            longest = max(len(ids) for ids in batch)
            if len(batch) == 1:
                raise PlacementError(
                    f"Out of memory embedding one text of {longest} tokens on {self.placement} in "
                    f"{self.precision}. Free memory, choose shorter chunks, or run the model "
                    "elsewhere."
                ) from error
        # Outside the except clause: the traceback keeps the failed batch's tensors alive.
        self.release_memory()
        half = self.batch_tokens(batch) // 2
        self.max_batch_tokens = max(1, min(self.max_batch_tokens, half))
        return None
