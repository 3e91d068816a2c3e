"""In which form a layer is kept and travels: as it is, or rounded to 8 or 4 bits.

A layer's form is one buffer of bytes, the same in RAM, on the way and on the device. Rounded
matrices are either multiplied out into one working layer, again for each pass, so that products
run in the model's own type; or multiplied as they are, where the device can. Norms stay as they
are.
"""

import math
from typing import TYPE_CHECKING, Protocol

from indexer.embedding.runtimes.packed.layout import MATRICES, LayerLayout, LayerWeights
from indexer.embedding.runtimes.packed.products import Multiply, RoundedMatrix
from indexer.embedding.runtimes.packed.rounding import ALIGNMENT, Rounded, Rounding, aligned

if TYPE_CHECKING:
    import torch


class Form(Protocol):
    """How a layer is kept, and what the forward gets of it."""

    size_bytes: int  # of a layer
    keeps_buffer: bool  # the forward reads the buffer itself: keep it until computed
    is_rounded: bool  # layers should come in float32
    needs_smoothing: bool  # and smoothed

    def pack(self, flat: "torch.Tensor", buffer: "torch.Tensor") -> None:
        """Write a layer, given as a flat buffer of the layout, into a buffer of `size_bytes`."""

    def unpack(self, buffer: "torch.Tensor") -> LayerWeights:
        """The layer in a buffer on the device, good until the next call."""


class PlainForm:
    """The values themselves."""

    keeps_buffer = True
    is_rounded = False
    needs_smoothing = False

    def __init__(self, layout: LayerLayout, dtype: "torch.dtype") -> None:
        self._layout = layout
        self._dtype = dtype
        self.size_bytes = layout.size * dtype.itemsize

    def pack(self, flat: "torch.Tensor", buffer: "torch.Tensor") -> None:
        """See `Form.pack`."""
        buffer.view(self._dtype).copy_(flat)

    def unpack(self, buffer: "torch.Tensor") -> LayerWeights:
        """See `Form.unpack`."""
        return self._layout.views(buffer.view(self._dtype))


class _RoundedForm:
    """Rounded matrices one after the other, then the norms in the computing type."""

    is_rounded = True

    def __init__(self, layout: LayerLayout, dtype: "torch.dtype", rounding: Rounding) -> None:
        self._layout = layout
        self._dtype = dtype
        self._rounding = rounding
        self.needs_smoothing = rounding.needs_smoothing
        self._starts: dict[str, int] = {}
        end = 0
        for name in (*MATRICES, *(name for name in layout.shapes if name not in MATRICES)):
            self._starts[name] = end
            end += aligned(self._bytes_of(name), ALIGNMENT)
        self.size_bytes = end

    def pack(self, flat: "torch.Tensor", buffer: "torch.Tensor") -> None:
        """See `Form.pack`."""
        for name in self._starts:
            values = self._layout.view(flat, name)
            if name in MATRICES:
                self._rounding.round(values, self._matrix(buffer, name))
            else:
                self._vector(buffer, name).copy_(values)

    def _matrix(self, buffer: "torch.Tensor", name: str) -> Rounded:
        rows, columns = self._layout.shapes[name]
        return self._rounding.view(self._part(buffer, name), rows, columns)

    def _vector(self, buffer: "torch.Tensor", name: str) -> "torch.Tensor":
        return self._part(buffer, name).view(self._dtype).view(self._layout.shapes[name])

    def _part(self, buffer: "torch.Tensor", name: str) -> "torch.Tensor":
        start = self._starts[name]
        return buffer[start : start + self._bytes_of(name)]

    def _bytes_of(self, name: str) -> int:
        shape = self._layout.shapes[name]
        if name in MATRICES:
            return self._rounding.size_bytes(*shape)
        return math.prod(shape) * self._dtype.itemsize


class MultipliedOutForm(_RoundedForm):
    """Each layer's values are made again in one working layer: activations are never rounded."""

    keeps_buffer = False

    def __init__(
        self, layout: LayerLayout, dtype: "torch.dtype", rounding: Rounding, device: str
    ) -> None:
        import torch

        super().__init__(layout, dtype, rounding)
        self._views = layout.views(torch.zeros(layout.size, dtype=dtype, device=device))

    def unpack(self, buffer: "torch.Tensor") -> LayerWeights:
        """See `Form.unpack`."""
        for name in self._starts:
            target = getattr(self._views, name)
            if name in MATRICES:
                self._rounding.multiply_out(self._matrix(buffer, name), target)
            else:
                target.copy_(self._vector(buffer, name))
        return self._views


class DirectForm(_RoundedForm):
    """Matrices are multiplied in their rounded form."""

    keeps_buffer = True

    def __init__(
        self, layout: LayerLayout, dtype: "torch.dtype", rounding: Rounding, multiply: Multiply
    ) -> None:
        super().__init__(layout, dtype, rounding)
        self._multiply = multiply

    def unpack(self, buffer: "torch.Tensor") -> LayerWeights:
        """See `Form.unpack`."""
        return LayerWeights(
            input_norm=self._vector(buffer, "input_norm"),
            qkv=self._product(buffer, "qkv"),
            qk_gain=self._vector(buffer, "qk_gain"),
            out=self._product(buffer, "out"),
            post_norm=self._vector(buffer, "post_norm"),
            gate_up=self._product(buffer, "gate_up"),
            down=self._product(buffer, "down"),
        )

    def _product(self, buffer: "torch.Tensor", name: str) -> RoundedMatrix:
        matrix = self._matrix(buffer, name)
        return RoundedMatrix(matrix.values, matrix.scales, self._multiply)
