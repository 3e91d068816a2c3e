"""In which form a layer travels: as it is, or in int8 with half the bytes.

In int8 each matrix row (an output channel) is q x scale with scale = max |row| / 127; norms stay
as they are. On arrival the row is multiplied out again, so the products run in the model's own
type: activations are never quantised.
"""

import math
from typing import TYPE_CHECKING, Protocol

from indexer.embedding.runtimes.packed.layout import (
    MATRICES,
    LayerLayout,
    LayerWeights,
    aligned,
)

if TYPE_CHECKING:
    import torch

_ALIGNMENT = 256  # bytes


class Form(Protocol):
    """How a layer travels and what becomes of it on arrival."""

    size_bytes: int  # of a layer on the way
    keeps_buffer: bool  # the unpacked layer lies in the arrival buffer: keep it until computed

    def settle(self, flat: "torch.Tensor") -> None:
        """Give a flat layer the values it would arrive with.

        For layers that stay: vectors must not depend on how many of them there is room for.
        """

    def pack(self, flat: "torch.Tensor", buffer: "torch.Tensor") -> None:
        """Write a layer, given as a flat buffer of the layout, into a buffer of `size_bytes`."""

    def unpack(self, buffer: "torch.Tensor") -> LayerWeights:
        """The layer that arrived in a buffer, good until the next call."""


class PlainForm:
    """The values themselves."""

    keeps_buffer = True

    def __init__(self, layout: LayerLayout, dtype: "torch.dtype") -> None:
        self._layout = layout
        self._dtype = dtype
        self.size_bytes = layout.size * dtype.itemsize

    def settle(self, flat: "torch.Tensor") -> None:
        """See `Form.settle`."""

    def pack(self, flat: "torch.Tensor", buffer: "torch.Tensor") -> None:
        """See `Form.pack`."""
        buffer.view(self._dtype).copy_(flat)

    def unpack(self, buffer: "torch.Tensor") -> LayerWeights:
        """See `Form.unpack`."""
        return self._layout.views(buffer.view(self._dtype))


class Int8Form:
    """Matrices as int8 with a float32 scale per row; multiplied out into one working layer."""

    keeps_buffer = False

    def __init__(self, layout: LayerLayout, dtype: "torch.dtype", device: str) -> None:
        import torch

        self._layout = layout
        self._work = torch.zeros(layout.size, dtype=dtype, device=device)
        self._views = layout.views(self._work)
        self._places: dict[str, tuple[int, int]] = {}  # matrix -> starts of values and of scales
        end = 0
        for name in MATRICES:
            rows, columns = layout.shapes[name]
            scales = end + aligned(rows * columns, _ALIGNMENT)
            self._places[name] = (end, scales)
            end = scales + aligned(4 * rows, _ALIGNMENT)
        self._vectors_at = end
        self._vectors = [name for name in layout.shapes if name not in MATRICES]
        values = sum(math.prod(layout.shapes[name]) for name in self._vectors)
        self.size_bytes = end + values * dtype.itemsize

    def settle(self, flat: "torch.Tensor") -> None:
        """See `Form.settle`."""
        for name in MATRICES:
            matrix = self._layout.view(flat, name)
            values, scales = _quantised(matrix)
            matrix.copy_(values * scales)

    def pack(self, flat: "torch.Tensor", buffer: "torch.Tensor") -> None:
        """See `Form.pack`."""
        for name in MATRICES:
            values, scales = self._matrix(buffer, name)
            new_values, new_scales = _quantised(self._layout.view(flat, name))
            values.copy_(new_values)
            scales.copy_(new_scales)
        vectors = [self._layout.view(flat, name).flatten() for name in self._vectors]
        at = self._vectors_at
        for vector in vectors:
            buffer[at : at + vector.nbytes].view(self._work.dtype).copy_(vector)
            at += vector.nbytes

    def unpack(self, buffer: "torch.Tensor") -> LayerWeights:
        """See `Form.unpack`."""
        import torch

        for name in MATRICES:
            values, scales = self._matrix(buffer, name)
            torch.mul(values, scales, out=getattr(self._views, name))
        at = self._vectors_at
        for name in self._vectors:
            target = getattr(self._views, name)
            target.copy_(buffer[at : at + target.nbytes].view(target.dtype).view(target.shape))
            at += target.nbytes
        return self._views

    def _matrix(self, buffer: "torch.Tensor", name: str) -> tuple["torch.Tensor", "torch.Tensor"]:
        """(int8 values (rows, columns), float32 scales (rows, 1)) in a buffer."""
        import torch

        rows, columns = self._layout.shapes[name]
        start, scales = self._places[name]
        values = buffer[start : start + rows * columns].view(torch.int8).view(rows, columns)
        return values, buffer[scales : scales + 4 * rows].view(torch.float32).view(rows, 1)


def _quantised(matrix: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
    """(whole numbers from -127 to 127, scale of each row), both float32."""
    exact = matrix.float()
    # A row of zeros has no largest value to divide by.
    scales = (exact.abs().amax(dim=1, keepdim=True) / 127).clamp(min=1e-30)
    return (exact / scales).round().clamp(-127, 127), scales
