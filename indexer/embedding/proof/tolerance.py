"""How far a mode's vectors may lie from the fp32 reference's, by number format and placement."""

from dataclasses import dataclass

from indexer.modes import Mode, Placement, Precision


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Least cosines to the reference over the golden texts, and most error of a similarity."""

    least: float  # of any text
    mean: float
    similarity: float  # absolute, against the model card


# The figures of fp32 and half precision: two correct paths differ by rounding only. int8 is
# judged by its mean, since one short text may be off by more (0.9909 was seen); all but the mildest
# faults lie below its floor: docs/decisions/0010-modes-prove-themselves.md has both measured.
# fp8 and int4 are asked what random weights of full size reach, less a margin.
# Published similarities were rounded to four digits on hardware we do not know.
_TOLERANCES = {
    Precision.FP32: Tolerance(0.99999, 0.99999, 0.01),
    Precision.BF16: Tolerance(0.999, 0.999, 0.02),
    Precision.FP16: Tolerance(0.999, 0.999, 0.02),
    Precision.INT8: Tolerance(0.97, 0.99, 0.02),
    Precision.FP8: Tolerance(0.95, 0.97, 0.04),
    Precision.INT4: Tolerance(0.90, 0.92, 0.05),
}
# The same text alone and among others. Kernels sum in another order when shapes change.
_BATCH = {
    Precision.FP32: 0.99999,
    Precision.BF16: 0.999,
    Precision.FP16: 0.999,
    Precision.INT8: 0.9999,
    Precision.FP8: 0.9999,
    Precision.INT4: 0.9999,
}
# On a GPU quantised weights meet states in half precision, whose rounding they do not undo.
_GPU_BATCH = 0.999


def tolerance_of(precision: Precision) -> Tolerance:
    """What is asked of a mode of this precision."""
    return _TOLERANCES[precision]


def batch_tolerance(mode: Mode) -> float:
    """Least cosine of a text's vector alone to its vector among others."""
    on_gpu = mode.placement in (Placement.GPU, Placement.OFFLOAD)
    if on_gpu and mode.precision is not Precision.FP32:
        return min(_BATCH[mode.precision], _GPU_BATCH)
    return _BATCH[mode.precision]
