"""Products with a layer's matrices: plain ones, and rounded ones that are multiplied as they are.

int8: tokens are rounded to 127 levels of their own largest value, the products summed as whole
numbers, exactly, so a text's vector cannot depend on its neighbours. fp8: the same with 8-bit
floats, summed in float32. A kernel is used only after it gave the right answer on this device:
which shapes, cards and versions of torch have it is nowhere written down completely.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.embedding.runtimes.packed.rounding import FP8_LARGEST, round_rows
from indexer.modes import Precision

if TYPE_CHECKING:
    import torch

INT8_LEVELS = 127
# Tokens multiplied at once: whole-number sums take 4 bytes each, so a batch's would not fit on
# small cards. As many as keep a GPU busy (budget.FULL_TOKENS).
SLAB_TOKENS = 2048
MULTIPLE = 16  # rows and columns of a matrix that the kernels take: fp8 16, int8 8
_LEAST_INT8_ROWS = 17  # torch._int_mm on CUDA: "self.size(0) needs to be greater than 16"
INT8_CAPABILITY, FP8_CAPABILITY = (8, 0), (8, 9)
# Of a probe's products: bfloat16 answers have 8 bits.
_PROBE_ERROR = 0.01

# (states (tokens, inputs), values (outputs, inputs), scales (outputs, 1)) -> (tokens, outputs) in
# the states' type
Multiply = Callable[["torch.Tensor", "torch.Tensor", "torch.Tensor"], "torch.Tensor"]


@dataclass(frozen=True, slots=True)
class RoundedMatrix:
    """A matrix that is multiplied in its rounded form; rows can be taken by a slice."""

    values: "torch.Tensor"  # int8 or 8-bit floats, shape (outputs, inputs)
    scales: "torch.Tensor"  # float32, shape (outputs, 1)
    multiply: Multiply

    def __getitem__(self, rows: slice) -> "RoundedMatrix":
        return RoundedMatrix(self.values[rows], self.scales[rows], self.multiply)

    def product(self, states: "torch.Tensor") -> "torch.Tensor":
        """States @ matrix^T, shape (tokens, outputs)."""
        if len(states) <= SLAB_TOKENS:
            return self.multiply(states, self.values, self.scales)
        found = states.new_empty((len(states), len(self.values)))
        for start in range(0, len(states), SLAB_TOKENS):
            rows = slice(start, start + SLAB_TOKENS)
            found[rows] = self.multiply(states[rows], self.values, self.scales)
        return found


def product(states: "torch.Tensor", matrix: "torch.Tensor | RoundedMatrix") -> "torch.Tensor":
    """States @ matrix^T: (tokens, inputs) and (outputs, inputs) -> (tokens, outputs)."""
    if isinstance(matrix, RoundedMatrix):
        return matrix.product(states)
    return states @ matrix.T


def add_product(
    sums: "torch.Tensor", states: "torch.Tensor", matrix: "torch.Tensor | RoundedMatrix"
) -> None:
    """Add states @ matrix^T to `sums`, shape (tokens, outputs), in place."""
    if isinstance(matrix, RoundedMatrix):
        sums.add_(matrix.product(states))
    else:
        sums.addmm_(states, matrix.T)


def multiply_int8(
    states: "torch.Tensor", values: "torch.Tensor", scales: "torch.Tensor"
) -> "torch.Tensor":
    """See `Multiply`; tokens rounded, sums exact."""
    import torch

    count = len(states)
    rounded, sizes = round_rows(states, INT8_LEVELS, torch.int8)
    if count < _LEAST_INT8_ROWS:
        rounded = torch.nn.functional.pad(rounded, (0, 0, 0, 2 * MULTIPLE - count))
    sums = torch._int_mm(rounded, values.T)[:count]
    return torch.mul(sums * scales.T, sizes, out=states.new_empty(sums.shape))


def multiply_fp8(
    states: "torch.Tensor", values: "torch.Tensor", scales: "torch.Tensor"
) -> "torch.Tensor":
    """See `Multiply`; for states in bfloat16, the only type that scaled rows come out in."""
    import torch

    rounded, sizes = round_rows(states, FP8_LARGEST, torch.float8_e4m3fn)
    found: torch.Tensor = torch._scaled_mm(
        rounded, values.T, scale_a=sizes, scale_b=scales.T, out_dtype=torch.bfloat16
    )
    return found.to(states.dtype)


def multiply_fp8_widened(
    states: "torch.Tensor", values: "torch.Tensor", scales: "torch.Tensor"
) -> "torch.Tensor":
    """See `Multiply`: what `multiply_fp8` computes, on any device, slowly."""
    import torch

    rounded, sizes = round_rows(states, FP8_LARGEST, torch.float8_e4m3fn)
    sums = (rounded.float() @ values.float().T) * scales.T
    return torch.mul(sums, sizes, out=states.new_empty(sums.shape))


def choose_multiply(precision: Precision, device: str) -> Multiply | None:
    """The way to multiply int8 or fp8 on a device; None where the device has none.

    The processor stands in for a GPU: its int8 is exact, its fp8 is widened.
    """
    import torch

    is_int8 = precision is Precision.INT8
    if device == "cpu":
        return multiply_int8 if is_int8 else multiply_fp8_widened
    # AMD's cards have another 8-bit float, and no int8 here that anybody tried.
    least = INT8_CAPABILITY if is_int8 else FP8_CAPABILITY
    if torch.version.hip or torch.cuda.get_device_capability(device) < least:
        return None
    candidate = multiply_int8 if is_int8 else multiply_fp8
    kind, largest = (torch.int8, INT8_LEVELS) if is_int8 else (torch.float8_e4m3fn, FP8_LARGEST)
    return candidate if is_right(candidate, device, kind, float(largest)) else None


def is_right(candidate: Multiply, device: str, kind: "torch.dtype", largest: float) -> bool:
    """Whether a way to multiply runs on this device and gives what multiplying out gives."""
    import torch

    draw = torch.Generator(device).manual_seed(0)

    def random(rows: int) -> "torch.Tensor":
        return torch.randn((rows, 128), generator=draw, device=device, dtype=torch.bfloat16)

    values, scales = round_rows(random(64), largest, kind)
    try:
        for count in (1, 16, 17, 100):  # a query, the borders of padding, a batch
            states = random(count)
            rounded, sizes = round_rows(states, largest, kind)
            expected = (rounded.float() * sizes) @ (values.float() * scales).T
            found = candidate(states, values, scales).float()
            if not bool((found - expected).abs().max() <= _PROBE_ERROR * expected.abs().max()):
                return False
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        # A torch without the kernel for this card, or with another signature.
        return False
    return True
