"""Layers read from the mapped file one at a time into the form in which they are kept.

Neither RAM nor the device ever holds the whole model in full precision: a layer is read, smoothed
and rounded before the next one.
"""

from typing import TYPE_CHECKING

from indexer.embedding.qwen3_config import Qwen3Config
from indexer.embedding.qwen3_layer import LayerWeights as Parts
from indexer.embedding.qwen3_layer import smooth
from indexer.embedding.runtimes.packed.checkpoint import Checkpoint
from indexer.embedding.runtimes.packed.forms import Form
from indexer.embedding.runtimes.packed.layout import LayerLayout

if TYPE_CHECKING:
    import torch


class LayerLoader:
    """Reads layers of one checkpoint through one buffer in RAM."""

    def __init__(self, checkpoint: Checkpoint, form: Form, dtype: "torch.dtype") -> None:
        """Take the buffer.

        Args:
            checkpoint: the weights on disk.
            form: what layers become.
            dtype: in which layers are read that are not rounded.
        """
        import torch

        self._checkpoint = checkpoint
        self._form = form
        kind = torch.float32 if form.is_rounded else dtype
        self._flat = torch.zeros(checkpoint.layout.size, dtype=kind)

    def load(self, index: int, buffer: "torch.Tensor") -> None:
        """Write a layer into a buffer in RAM of the form's size.

        Raises:
            ModelError: see `Checkpoint.fill`.
        """
        self._checkpoint.fill(index, self._flat)
        if self._form.needs_smoothing:
            smooth_flat(self._flat, self._checkpoint.layout, self._checkpoint.config)
        self._form.pack(self._flat, buffer)

    def load_to(self, index: int, device: str) -> "torch.Tensor":
        """A layer in a new buffer on a device."""
        import torch

        buffer = torch.zeros(self._form.size_bytes, dtype=torch.uint8)
        self.load(index, buffer)
        return buffer.to(device)


def smooth_flat(flat: "torch.Tensor", layout: LayerLayout, config: Qwen3Config) -> None:
    """`qwen3_layer.smooth` of a fused layer in float32, in place."""
    part = {name: layout.view(flat, name).numpy() for name in layout.shapes}
    queries, keys = config.query_size, config.query_size + config.key_size
    smoothed = smooth(
        Parts(
            input_gains=part["input_norm"],
            queries=part["qkv"][:queries],
            keys=part["qkv"][queries:keys],
            values=part["qkv"][keys:],
            query_gains=part["qk_gain"][0],
            key_gains=part["qk_gain"][config.heads],
            out=part["out"],
            inner_gains=part["post_norm"],
            gate=part["gate_up"][: config.intermediate],
            up=part["gate_up"][config.intermediate :],
            down=part["down"],
        ),
        config,
    )
    part["input_norm"][:] = smoothed.input_gains
    part["qkv"][:queries] = smoothed.queries
    part["qkv"][queries:keys] = smoothed.keys
    part["qkv"][keys:] = smoothed.values
    part["out"][:] = smoothed.out
    part["post_norm"][:] = smoothed.inner_gains
    part["gate_up"][: config.intermediate] = smoothed.gate
    part["gate_up"][config.intermediate :] = smoothed.up
    part["down"][:] = smoothed.down
