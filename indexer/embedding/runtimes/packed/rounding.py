"""Matrices in 8 or 4 bits: how they are rounded, and what lies where in a buffer of bytes.

int8 and fp8 have one scale for each row (an output channel), int4 one for each group of 32 values
of a row, since 15 steps are too few for a whole row. Zero is always exact.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    import torch

GROUP = 32  # values of an int4 row that share a scale: 4.5 bits a value
ALIGNMENT = 256  # bytes
FP8_LARGEST = 448.0  # of e4m3
LEAST_SCALE = 1e-30  # keeps zeros from being divided by zero
_INT8_LEVELS = 127
# The scale of a group is tried so far below its largest value: cutting one off may cost less than
# coarser steps for the other 31.
_SHARES = (1.0, 0.94, 0.88, 0.82)
_BLOCK_ROWS = 1024  # rounded at once, so that intermediate results stay small beside a layer


@dataclass(frozen=True, slots=True)
class Rounded:
    """A matrix in few bits; both are views of a buffer."""

    values: "torch.Tensor"  # (rows, columns); int4: (rows, columns / 2), two in a byte
    scales: "torch.Tensor"  # (rows, 1) float32; int4: (rows, columns / GROUP) bfloat16


def aligned(size: int, alignment: int) -> int:
    """The next multiple of `alignment`."""
    return -(-size // alignment) * alignment


class Rounding(Protocol):
    """A number format of matrices."""

    column_multiple: int  # what the number of columns must be a multiple of
    needs_smoothing: bool  # one scale must serve small and large values of a row

    def size_bytes(self, rows: int, columns: int) -> int:
        """Bytes of a matrix with its scales."""

    def view(self, buffer: "torch.Tensor", rows: int, columns: int) -> Rounded:
        """The matrix in a buffer of `size_bytes`; nothing is copied."""

    def round(self, matrix: "torch.Tensor", target: Rounded) -> None:
        """Write a float32 matrix, shape (rows, columns), rounded."""

    def multiply_out(self, source: Rounded, target: "torch.Tensor") -> None:
        """Write the values in a float type again, shape (rows, columns)."""


class Int8Rows:
    """Whole numbers from -127 to 127."""

    column_multiple = 1
    needs_smoothing = True
    _largest: ClassVar[float] = _INT8_LEVELS

    def size_bytes(self, rows: int, columns: int) -> int:
        """See `Rounding.size_bytes`."""
        return aligned(rows * columns, ALIGNMENT) + aligned(4 * rows, ALIGNMENT)

    def view(self, buffer: "torch.Tensor", rows: int, columns: int) -> Rounded:
        """See `Rounding.view`."""
        import torch

        at = aligned(rows * columns, ALIGNMENT)
        return Rounded(
            buffer[: rows * columns].view(self._kind()).view(rows, columns),
            buffer[at : at + 4 * rows].view(torch.float32).view(rows, 1),
        )

    def round(self, matrix: "torch.Tensor", target: Rounded) -> None:
        """See `Rounding.round`."""
        for start in range(0, len(matrix), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            values, scales = round_rows(matrix[rows].float(), self._largest, self._kind())
            target.values[rows].copy_(values)
            target.scales[rows].copy_(scales)

    def multiply_out(self, source: Rounded, target: "torch.Tensor") -> None:
        """See `Rounding.multiply_out`."""
        import torch

        torch.mul(source.values, source.scales, out=target)

    def _kind(self) -> "torch.dtype":
        import torch

        return torch.int8


class Fp8Rows(Int8Rows):
    """8-bit floats (e4m3), the largest value of a row at the end of their range.

    Their own exponents keep values 28,000 times smaller as exact as the largest.
    """

    needs_smoothing = False
    _largest = FP8_LARGEST

    def multiply_out(self, source: Rounded, target: "torch.Tensor") -> None:
        """See `Rounding.multiply_out`."""
        import torch

        # torch multiplies no 8-bit floats; every one of them is exact in any wider type.
        torch.mul(source.values.to(target.dtype), source.scales, out=target)

    def _kind(self) -> "torch.dtype":
        import torch

        return torch.float8_e4m3fn


class Int4Groups:
    """Whole numbers from -8 to 7, two in a byte."""

    column_multiple = GROUP
    needs_smoothing = True

    def size_bytes(self, rows: int, columns: int) -> int:
        """See `Rounding.size_bytes`."""
        return self._scales_at(rows, columns) + aligned(2 * rows * columns // GROUP, ALIGNMENT)

    def view(self, buffer: "torch.Tensor", rows: int, columns: int) -> Rounded:
        """See `Rounding.view`."""
        import torch

        at, groups = self._scales_at(rows, columns), columns // GROUP
        return Rounded(
            buffer[: rows * columns // 2].view(rows, columns // 2),
            buffer[at : at + 2 * rows * groups].view(torch.bfloat16).view(rows, groups),
        )

    def round(self, matrix: "torch.Tensor", target: Rounded) -> None:
        """See `Rounding.round`."""
        for start in range(0, len(matrix), _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            values, scales = _round_groups(matrix[rows].float())
            target.values[rows].copy_(pack_nibbles(values))
            target.scales[rows].copy_(scales)

    def multiply_out(self, source: Rounded, target: "torch.Tensor") -> None:
        """See `Rounding.multiply_out`."""
        import torch

        rows, groups = source.scales.shape
        halves = target.view(rows, groups, 2, GROUP // 2)
        scales = source.scales.to(target.dtype)[:, :, None]
        for place, nibbles in enumerate(_nibbles(source.values)):
            values = nibbles.view(rows, groups, GROUP // 2)
            torch.mul(values, scales, out=halves[:, :, place])

    def _scales_at(self, rows: int, columns: int) -> int:
        return aligned(rows * columns // 2, ALIGNMENT)


def round_rows(
    matrix: "torch.Tensor", largest: float, kind: "torch.dtype"
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """(values of type `kind` up to +-`largest`, float32 scales (rows, 1)) of float rows.

    A row with NaN or infinity gets such a scale, so that its products are not finite either.
    """
    import torch

    scales = (matrix.abs().amax(dim=1, keepdim=True).float() / largest).clamp(min=LEAST_SCALE)
    values = matrix / scales  # float32, whatever the rows are
    if kind is torch.int8:
        values = values.round_()
    # The quotient of the largest value may be rounded up beyond it.
    return values.clamp_(-largest, largest).to(kind), scales


def pack_nibbles(values: "torch.Tensor") -> "torch.Tensor":
    """Two values from -8 to 7 in a byte: int8 (rows, columns) -> uint8 (rows, columns / 2).

    The first half of a group lies in the low bits, the second in the high ones, so that unpacking
    writes two runs of neighbours.
    """
    import torch

    halves = (values + 8).to(torch.uint8).view(len(values), -1, 2, GROUP // 2)
    return (halves[:, :, 0] | (halves[:, :, 1] << 4)).flatten(1)


def unpack_nibbles(packed: "torch.Tensor") -> "torch.Tensor":
    """The values again: uint8 (rows, columns / 2) -> int8 (rows, columns)."""
    import torch

    low, high = (part.view(len(packed), -1, GROUP // 2) for part in _nibbles(packed))
    return torch.stack([low, high], dim=2).flatten(1)


def _nibbles(packed: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
    """(low, high) values of each byte, int8, from -8 to 7."""
    import torch

    return (packed & 15).view(torch.int8).sub_(8), (packed >> 4).view(torch.int8).sub_(8)


def _round_groups(matrix: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
    """(int8 values from -8 to 7 (rows, columns), bfloat16 scales (rows, groups))."""
    import torch

    groups = matrix.view(len(matrix), -1, GROUP)
    place = groups.abs().argmax(dim=2, keepdim=True)
    # -8 is one step further out than 7: the value that reaches furthest gets it.
    full = groups.gather(2, place) / -8
    best = values = scales = None
    for share in _SHARES:
        tried = (full * share).bfloat16()
        tried = torch.where(tried == 0, LEAST_SCALE, tried)
        rounded = (groups / tried.float()).round_().clamp_(-8, 7)
        error = (rounded * tried.float()).sub_(groups).square_().sum(dim=2, keepdim=True)
        if best is None or values is None or scales is None:
            best, values, scales = error, rounded, tried
            continue
        better = error < best
        best = torch.where(better, error, best)
        values = torch.where(better, rounded, values)
        scales = torch.where(better, tried, scales)
    assert values is not None
    assert scales is not None
    return values.to(torch.int8).flatten(1), scales.squeeze(2)
