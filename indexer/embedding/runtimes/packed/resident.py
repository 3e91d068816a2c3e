"""All layers on the device, loaded once."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from indexer.embedding.runtimes.packed.checkpoint import Checkpoint
from indexer.embedding.runtimes.packed.forms import Form
from indexer.embedding.runtimes.packed.layout import LayerStream, LayerWeights

if TYPE_CHECKING:
    import torch


class ResidentLayers:
    """A source of layers that are already where they are needed."""

    def __init__(self, layers: Iterable[LayerWeights]) -> None:
        self._layers = list(layers)

    def stream(self) -> LayerStream:
        """See `LayerStream`."""
        yield from self._layers

    def close(self) -> None:
        """Let the weights go."""
        self._layers = []


def load_layer(
    checkpoint: Checkpoint,
    index: int,
    device: str,
    dtype: "torch.dtype",
    form: Form | None = None,
) -> LayerWeights:
    """One layer in its own buffer on the device; RAM holds it only meanwhile.

    Args:
        checkpoint: the weights on disk.
        index: of the layer.
        device: where it goes.
        dtype: of its values there.
        form: in which other layers travel, so that this one gets their values.
    """
    import torch

    flat = torch.zeros(checkpoint.layout.size, dtype=dtype)
    checkpoint.fill(index, flat)
    if form is not None:
        form.settle(flat)
    return checkpoint.layout.views(flat.to(device))
