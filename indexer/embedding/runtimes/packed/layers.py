"""One Qwen3 layer over packed tokens, few kernels and little memory.

The order of operations is that of transformers' `Qwen3DecoderLayer`: RMSNorm, attention with
normalised and rotated heads, residual, RMSNorm, gated MLP, residual. Sums of a product and the
residual are one operation, which rounds once where transformers rounds twice.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.embedding.qwen3_config import Qwen3Config
from indexer.embedding.runtimes.packed.attention import Attend
from indexer.embedding.runtimes.packed.batch import PackedBatch
from indexer.embedding.runtimes.packed.layout import LayerWeights
from indexer.embedding.runtimes.packed.products import add_product, product

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Rotation:
    """Rotary tables of each token, shape (tokens, 1, head_dim), in the states' type."""

    cos: "torch.Tensor"
    sin: "torch.Tensor"  # its first half negated, so that rotating is rolling

    @classmethod
    def at(cls, positions: "torch.Tensor", config: Qwen3Config, dtype: "torch.dtype") -> "Rotation":
        """The tables for tokens at these places; angles in float32 as in transformers."""
        import torch

        steps = torch.arange(0, config.head_dim, 2, dtype=torch.float32, device=positions.device)
        frequencies = 1.0 / (config.theta ** (steps / config.head_dim))
        angles = positions[:, None, None].float() * frequencies
        cos, sin = angles.cos(), angles.sin()
        return cls(torch.cat([cos, cos], -1).to(dtype), torch.cat([-sin, sin], -1).to(dtype))

    def of(self, rows: "torch.Tensor") -> "Rotation":
        """The tables of some tokens only."""
        return Rotation(self.cos.index_select(0, rows), self.sin.index_select(0, rows))

    def turn(self, heads: "torch.Tensor") -> None:
        """Rotate in place; heads (tokens, count, head_dim).

        Rolled by half a head, x2 comes before x1: with the signs in the table this is the
        [-x2, x1] of "rotate half".
        """
        rolled = heads.roll(heads.shape[-1] // 2, dims=-1)
        heads.mul_(self.cos).addcmul_(rolled, self.sin)


def run_layer(
    states: "torch.Tensor",
    weights: LayerWeights,
    batch: PackedBatch,
    rotation: Rotation,
    config: Qwen3Config,
    attend: Attend,
) -> None:
    """Advance the states of all tokens, shape (tokens, hidden), by one layer, in place."""
    heads, kv_heads = config.heads, config.kv_heads
    qkv = product(norm(states, weights.input_norm, config.eps), weights.qkv)
    qkv = qkv.view(-1, heads + 2 * kv_heads, config.head_dim)
    # All heads are normalised, values too: the kernel wants one block, and values are a quarter.
    normed = norm(qkv, None, config.eps)
    mixed = normed[:, : heads + kv_heads]
    mixed.mul_(weights.qk_gain)
    rotation.turn(mixed)
    gathered = attend(mixed[:, :heads], mixed[:, heads:], qkv[:, heads + kv_heads :], batch, False)
    del qkv, normed, mixed  # before the MLP allocates
    add_product(states, gathered.flatten(1), weights.out)
    del gathered
    _run_mlp(states, weights, config)


def run_last_layer(
    states: "torch.Tensor",
    weights: LayerWeights,
    batch: PackedBatch,
    rotation: Rotation,
    config: Qwen3Config,
    attend: Attend,
) -> "torch.Tensor":
    """States of the pooled tokens after the last layer, shape (texts, hidden).

    Only keys and values are needed of the other tokens: for texts of 200 tokens this saves 85 %
    of the layer.
    """
    heads, kv_heads, eps = config.heads, config.kv_heads, config.eps
    normed = norm(states, weights.input_norm, eps)
    pooled = normed.index_select(0, batch.last)
    queries = product(pooled, weights.qkv[: config.query_size]).view(-1, heads, config.head_dim)
    mixed = product(normed, weights.qkv[config.query_size :])
    mixed = mixed.view(-1, 2 * kv_heads, config.head_dim)
    keys, values = mixed[:, :kv_heads], mixed[:, kv_heads:]
    queries = norm(queries, None, eps) * weights.qk_gain[:heads]
    keys = norm(keys, None, eps) * weights.qk_gain[heads:]
    rotation.of(batch.last).turn(queries)
    rotation.turn(keys)
    gathered = attend(queries, keys, values, batch, True)
    kept = states.index_select(0, batch.last)
    add_product(kept, gathered.flatten(1), weights.out)
    _run_mlp(kept, weights, config)
    return kept


def _run_mlp(states: "torch.Tensor", weights: LayerWeights, config: Qwen3Config) -> None:
    from torch.nn.functional import silu

    both = product(norm(states, weights.post_norm, config.eps), weights.gate_up)
    gate, up = both[:, : config.intermediate], both[:, config.intermediate :]
    silu(gate, inplace=True).mul_(up)
    add_product(states, gate, weights.down)


def norm(values: "torch.Tensor", gain: "torch.Tensor | None", eps: float) -> "torch.Tensor":
    """RMSNorm over the last axis (Zhang and Sennrich 2019), one kernel on a GPU."""
    from torch.nn.functional import rms_norm

    return rms_norm(values, values.shape[-1:], gain, eps)
