"""One layer's weights as one flat buffer: what is copied, kept and read as a whole.

A single buffer makes a layer one copy to the GPU (eleven small ones would not fill the bus) and
one allocation; the tensors the forward multiplies by are views of it.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.embedding.qwen3_config import Qwen3Config
from indexer.embedding.runtimes.packed.products import RoundedMatrix
from indexer.embedding.runtimes.packed.rounding import aligned

if TYPE_CHECKING:
    import torch

# Each tensor starts at a multiple of this many values: 256 bytes in half precision, the alignment
# cuBLAS asks of its fastest kernels.
_ALIGNMENT = 128


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """The fused tensors of one layer; matrices are (outputs, inputs), plain or rounded."""

    input_norm: "torch.Tensor"  # (hidden,)
    qkv: "torch.Tensor | RoundedMatrix"  # (query_size + 2 key_size, hidden): queries, keys, values
    qk_gain: "torch.Tensor"  # (heads + kv_heads, head_dim): the head norms' gains, per head
    out: "torch.Tensor | RoundedMatrix"  # (hidden, query_size)
    post_norm: "torch.Tensor"  # (hidden,)
    gate_up: "torch.Tensor | RoundedMatrix"  # (2 intermediate, hidden)
    down: "torch.Tensor | RoundedMatrix"  # (hidden, intermediate)


# Every layer in order; each may be used until the next is asked for, or the generator is closed.
LayerStream = Generator[LayerWeights, None, None]

MATRICES = ("qkv", "out", "gate_up", "down")


class LayerLayout:
    """Where each tensor of a layer lies in its flat buffer."""

    def __init__(self, config: Qwen3Config) -> None:
        hidden = config.hidden
        self.shapes: dict[str, tuple[int, ...]] = {
            "input_norm": (hidden,),
            "qkv": (config.query_size + 2 * config.key_size, hidden),
            "qk_gain": (config.heads + config.kv_heads, config.head_dim),
            "out": (hidden, config.query_size),
            "post_norm": (hidden,),
            "gate_up": (2 * config.intermediate, hidden),
            "down": (hidden, config.intermediate),
        }
        self.offsets: dict[str, int] = {}
        end = 0
        for name, shape in self.shapes.items():
            self.offsets[name] = end
            end += aligned(math.prod(shape), _ALIGNMENT)
        self.size = end  # values

    def views(self, flat: "torch.Tensor") -> LayerWeights:
        """The layer in a flat buffer of `size` values; nothing is copied."""
        return LayerWeights(**{name: self.view(flat, name) for name in self.shapes})

    def view(self, flat: "torch.Tensor", name: str) -> "torch.Tensor":
        """One tensor in a flat buffer."""
        shape, start = self.shapes[name], self.offsets[name]
        return flat[start : start + math.prod(shape)].view(shape)
