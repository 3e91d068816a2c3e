"""Where a model runs and in which number format: the words every part uses for it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from indexer.errors import UsageError


class Placement(StrEnum):
    """Where the model runs."""

    GPU = "gpu"
    OFFLOAD = "offload"
    CPU = "cpu"
    REMOTE = "remote"


class Precision(StrEnum):
    """Number format of the weights."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"  # e4m3: 4 bits of exponent, 3 of fraction
    INT8 = "int8"
    INT4 = "int4"


# A model's vectors in these must pass a check of their quality before they are taken unasked.
QUANTISED = frozenset({Precision.INT8, Precision.FP8, Precision.INT4})


@dataclass(frozen=True, slots=True)
class Mode:
    """A placement with a precision, written "cpu:int8"."""

    placement: Placement
    precision: Precision

    def __str__(self) -> str:
        return f"{self.placement}:{self.precision}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The mode that `str` wrote.

        Raises:
            UsageError: not "PLACEMENT:PRECISION" of known ones.
        """
        placement, _, precision = text.partition(":")
        try:
            return cls(Placement(placement), Precision(precision))
        except ValueError:
            raise UsageError(
                f"{text!r} is no mode. Write PLACEMENT:PRECISION, for example cpu:int8; placements "
                f"are {', '.join(Placement)}, precisions {', '.join(Precision)}."
            ) from None
