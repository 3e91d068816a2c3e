"""The contract of every reranker: a query and passages in, one score for each passage out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from indexer.errors import UsageError

Scores = npt.NDArray[np.float32]


class Reranker(ABC):
    """A model that judges passages by a query, ready to be asked. Threads may share it."""

    takes_instruction: bool  # whether an instruction changes its judgement
    max_tokens: int | None  # of a query with its passage; longer pairs are cut. None: not known

    @property
    @abstractmethod
    def name(self) -> str:
        """Hub id, folder or endpoint: for messages and answers."""

    @abstractmethod
    def logits(self, query: str, texts: Sequence[str], instruction: str | None = None) -> Scores:
        """What the model gives before any scaling: above 0 is rather a match; see `scores`.

        Raises:
            UsageError: an instruction that cannot be taken, or a server that gives no such values.
        """

    @abstractmethod
    def scores(self, query: str, texts: Sequence[str], instruction: str | None = None) -> Scores:
        """How well each text answers the query; higher is better.

        Args:
            query: any string.
            texts: any strings, in any order; a pair over the model's limit is cut.
            instruction: the task, one line; None for the model's own.

        Returns:
            float32, shape (n,), finite, in the order of the texts; 0 to 1, unless the model's
            configuration or the server asks for plain logits.

        Raises:
            UsageError: an instruction that cannot be taken.
            ModelError: the model or the server gives no scores.
            PlacementError: memory ran out, or the server is out of reach.
        """

    def probabilities(
        self, query: str, texts: Sequence[str], instruction: str | None = None
    ) -> Scores:
        """`scores` scaled to 0 to 1 whatever the model's configuration says."""
        return sigmoid(self.logits(query, texts, instruction))

    @abstractmethod
    def token_counts(
        self, query: str, texts: Sequence[str], instruction: str | None = None
    ) -> list[int]:
        """Tokens of each pair with its template, uncut; an estimate where no tokenizer is here."""

    def costs(self, query: str, texts: Sequence[str], instruction: str | None = None) -> list[int]:
        """What each text costs, in tokens that the model must compute for it."""
        counts = self.token_counts(query, texts, instruction)
        limit = self.max_tokens
        return counts if limit is None else [min(count, limit) for count in counts]

    @abstractmethod
    def close(self) -> None:
        """Free the model."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def sigmoid(logits: Scores) -> Scores:
    """1 / (1 + e^-x) of each value, without overflow."""
    half = np.tanh(logits.astype(np.float64) / 2)
    scaled: Scores = ((half + 1) / 2).astype(np.float32)
    return scaled


def refuse_instruction(name: str, instruction: str | None) -> None:
    """For models that read nothing but the query and the passage.

    Raises:
        UsageError: there is an instruction.
    """
    if instruction is not None:
        raise UsageError(
            f"{name} takes no instruction. Leave it out, or use a Qwen3 reranker in this process."
        )
