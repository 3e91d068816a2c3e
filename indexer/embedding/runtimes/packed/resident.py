"""All layers on the device, loaded once."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from indexer.embedding.runtimes.packed.forms import Form
from indexer.embedding.runtimes.packed.layout import LayerStream, LayerWeights

if TYPE_CHECKING:
    import torch


class ResidentLayers:
    """A source of layers that are already where they are needed."""

    def __init__(self, buffers: Iterable["torch.Tensor"], form: Form) -> None:
        """Keep the layers, in order, each a buffer of the form on the device."""
        self._buffers = list(buffers)
        self._form = form
        # Views are made once: a layer has seven, and a query passes 28 layers.
        self._views: list[LayerWeights] = []
        if form.keeps_buffer:
            self._views = [form.unpack(buffer) for buffer in self._buffers]

    @property
    def size_bytes(self) -> int:
        """Bytes of all layers on the device."""
        return sum(buffer.nbytes for buffer in self._buffers)

    def stream(self) -> LayerStream:
        """See `LayerStream`."""
        for index, buffer in enumerate(self._buffers):
            yield self._views[index] if self._views else self._form.unpack(buffer)

    def close(self) -> None:
        """Let the weights go."""
        self._buffers, self._views = [], []
