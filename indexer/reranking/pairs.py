"""The contract of what computes a cross-encoder's logits."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from indexer.modes import Mode
from indexer.reranking.base import Scores

if TYPE_CHECKING:
    import tokenizers


class PairModel(ABC):
    """A loaded model. Threads may share it: one batch at a time is computed."""

    mode: Mode  # where and in which precision it runs

    @abstractmethod
    def batch_size(self, lengths: Sequence[int]) -> int:
        """How many of the next pairs go into one batch; lengths are longest first, not empty."""

    @abstractmethod
    def logits(self, pairs: "Sequence[tokenizers.Encoding]") -> Scores:
        """The logits of a non-empty batch, shape (n,), in its order.

        Raises:
            PlacementError: memory ran out.
        """

    @abstractmethod
    def close(self) -> None:
        """Free the model."""
