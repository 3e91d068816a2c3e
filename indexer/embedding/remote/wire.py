"""The contract of a wire format: texts to a request's JSON, an answer's JSON to vectors."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from indexer.embedding.remote.faults import AnswerFault
from indexer.types import Vectors


class WireFormat(ABC):
    """How one endpoint is spoken to. Threads share it."""

    @abstractmethod
    def request(self, texts: Sequence[str]) -> dict[str, Any]:
        """The JSON body that asks for the vectors of these texts."""

    @abstractmethod
    def vectors(self, answer: object, count: int, dimension: int) -> Vectors:
        """The vectors of a parsed answer, checked.

        Returns:
            float32, shape (count, dimension), finite, no row all zero, in the order of the request.

        Raises:
            AnswerFault: anything else.
        """

    def asks_otherwise(self, request: Mapping[str, Any], status: int) -> bool:
        """Whether, after this refusal, `request` now asks in a simpler way that may be taken."""
        del request, status
        return False


def checked(vectors: Vectors) -> Vectors:
    """The vectors, if a model can have made them.

    Raises:
        AnswerFault: NaN, infinity, or a vector of zeros.
    """
    count = len(vectors)
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise AnswerFault(
            f"gave NaN or infinity in {len(broken)} of {count} vectors. fp16 overflows on some "
            "models: let the server run in bf16 or fp32"
        )
    if not vectors.any(axis=1).all():
        raise AnswerFault(
            f"gave a vector of zeros among {count}: the server does not run the model properly"
        )
    return vectors


def numbers(values: object, dimension: int) -> Vectors:
    """A JSON list of numbers as float32, shape (dimension,).

    Raises:
        AnswerFault: not a list of that many numbers. Texts and null are no numbers.
    """
    if not isinstance(values, list):
        raise AnswerFault(f"gave {type(values).__name__} where a vector belongs")
    if len(values) != dimension:
        raise wrong_dimension(len(values), dimension)
    if not all(type(value) is float or type(value) is int for value in values):
        raise AnswerFault(
            "gave a vector that holds something else than numbers (null stands for NaN in some "
            "servers: let it run in bf16 or fp32)"
        )
    try:
        with np.errstate(over="ignore"):  # infinity is refused with the others
            return np.array(values, dtype=np.float64).astype(np.float32)
    except OverflowError:  # an integer beyond any float
        raise AnswerFault("gave a number that is too large for a vector") from None


def wrong_dimension(found: int, expected: int) -> AnswerFault:
    """The fault of vectors of another length."""
    return AnswerFault(
        f"gave vectors of {found} values where the model gives {expected}. Let the server run the "
        "same model at its full dimension; shorter vectors (--dimension) are cut here"
    )
