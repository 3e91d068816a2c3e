"""Estimate the memory of a Qwen3 embedding model from its shape, without loading it."""

from dataclasses import dataclass

BYTES_PER_WEIGHT = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "int8": 1.0, "int4": 0.5}


@dataclass(frozen=True)
class Shape:
    """The numbers in config.json that decide about size."""

    layers: int
    hidden: int
    feed_forward: int
    query_heads: int
    key_value_heads: int
    head_width: int
    vocabulary: int

    @property
    def attention_weights(self) -> int:
        """Projections of one layer for queries, keys, values and output."""
        queries = self.query_heads * self.head_width
        keys = self.key_value_heads * self.head_width
        return self.hidden * (2 * queries + 2 * keys)

    @property
    def layer_weights(self) -> int:
        """One layer with gate, up and down projections and its four norms."""
        norms = 2 * self.hidden + 2 * self.head_width
        return self.attention_weights + 3 * self.hidden * self.feed_forward + norms

    @property
    def total_weights(self) -> int:
        """Layers, token table and final norm. The table is shared with the output, so it counts once."""
        return self.layers * self.layer_weights + self.vocabulary * self.hidden + self.hidden


QWEN3_0_6B = Shape(28, 1024, 3072, 16, 8, 128, 151_669)  # 595,776,512 weights


def weight_bytes(shape: Shape, precision: str) -> int:
    """Size of the weights alone; scales of quantised formats are not counted."""
    return int(shape.total_weights * BYTES_PER_WEIGHT[precision])


def activation_bytes(shape: Shape, batch_tokens: int, value_bytes: int = 2) -> int:
    """Largest tensors alive at once: residual stream, its normalised copy, gate and up."""
    width = 2 * shape.hidden + 2 * shape.feed_forward
    return batch_tokens * width * value_bytes
