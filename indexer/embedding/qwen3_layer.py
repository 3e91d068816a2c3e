"""The weights of one Qwen3 layer, and how they are made easy to round to few bits.

Rounding a token to 127 levels of its largest value loses the small values when a few channels are
large, as those of trained models are. SmoothQuant (Xiao et al., 2023) moves such differences from
the activations into the weights: channel j is divided by s_j where it is made and the column j of
the weights it meets is multiplied by s_j, with s_j = sqrt(max|x_j| / max|W_j|). The result is the
same function; nothing is computed more.

Here every such channel is made by weights of the same layer (a norm's gains, or rows of a matrix),
so max|x_j| is judged by those, without sample texts.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from indexer.embedding.checkpoint import Checkpoint
from indexer.embedding.qwen3_config import Qwen3Config

Matrix = npt.NDArray[np.float32]  # shape (outputs, inputs)
Gains = npt.NDArray[np.float32]

_PREFIXES = ("", "model.")  # as the embedding models are published, and as causal ones are saved
# A factor beyond this says that a channel is dead on one side: leave it be.
_LARGEST_FACTOR = 1e4


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """All weights of a layer in float32."""

    input_gains: Gains
    queries: Matrix
    keys: Matrix
    values: Matrix
    query_gains: Gains  # of each head's norm
    key_gains: Gains
    out: Matrix
    inner_gains: Gains
    gate: Matrix
    up: Matrix
    down: Matrix


def name_prefix(checkpoint: Checkpoint) -> str:
    """What stands before the names of the encoder's tensors."""
    return next((p for p in _PREFIXES if f"{p}embed_tokens.weight" in checkpoint), "")


def read_layer(checkpoint: Checkpoint, config: Qwen3Config, name: str) -> LayerWeights:
    """The layer whose tensors begin with `name`.

    Raises:
        ModelError: a tensor is missing or has another shape than config.json says.
    """

    def read(part: str, *shape: int) -> npt.NDArray[np.float32]:
        return checkpoint.tensor(f"{name}{part}.weight", shape)

    hidden, inner = config.hidden, config.intermediate
    return LayerWeights(
        input_gains=read("input_layernorm", hidden),
        queries=read("self_attn.q_proj", config.query_size, hidden),
        keys=read("self_attn.k_proj", config.key_size, hidden),
        values=read("self_attn.v_proj", config.key_size, hidden),
        query_gains=read("self_attn.q_norm", config.head_dim),
        key_gains=read("self_attn.k_norm", config.head_dim),
        out=read("self_attn.o_proj", hidden, config.query_size),
        inner_gains=read("post_attention_layernorm", hidden),
        gate=read("mlp.gate_proj", inner, hidden),
        up=read("mlp.up_proj", inner, hidden),
        down=read("mlp.down_proj", hidden, inner),
    )


def smooth(weights: LayerWeights, config: Qwen3Config) -> LayerWeights:
    """The same layer with channels of like size, to be rounded; the same function otherwise."""
    into_heads = _factors(
        np.abs(weights.input_gains), _largest(weights.queries, weights.keys, weights.values)
    )
    into_mlp = _factors(np.abs(weights.inner_gains), _largest(weights.gate, weights.up))
    # Each value head meets the columns of all query heads of its group.
    groups = config.heads // config.kv_heads
    meets = _largest(weights.out).reshape(config.kv_heads, groups, config.head_dim).max(axis=1)
    made = _norms(weights.values * weights.input_gains)
    into_out = _factors(made, meets.reshape(-1))
    shape = (config.kv_heads, 1, config.head_dim)
    by_query = np.broadcast_to(
        into_out.reshape(shape), (config.kv_heads, groups, config.head_dim)
    ).reshape(-1)
    made = _norms(weights.gate * weights.inner_gains) * _norms(weights.up * weights.inner_gains)
    into_down = _factors(made, _largest(weights.down))
    return replace(
        weights,
        input_gains=weights.input_gains / into_heads,
        queries=weights.queries * into_heads,
        keys=weights.keys * into_heads,
        values=weights.values * into_heads / into_out[:, None],
        out=weights.out * by_query,
        inner_gains=weights.inner_gains / into_mlp,
        gate=weights.gate * into_mlp,
        up=weights.up * into_mlp / into_down[:, None],
        down=weights.down * into_down,
    )


def _factors(made: npt.NDArray[np.float32], met: npt.NDArray[np.float32]) -> Gains:
    """s_j for channels of these sizes that meet columns of those; 1 where a side is dead."""
    alive = (made > 0) & (met > 0)
    ratio = np.sqrt(np.divide(made, met, out=np.ones_like(made), where=alive))
    ratio /= np.exp(np.log(ratio).mean())  # only differences between channels matter
    alive &= (ratio < _LARGEST_FACTOR) & (ratio > 1 / _LARGEST_FACTOR)
    factors: Gains = np.where(alive, ratio, 1).astype(np.float32)
    return factors


def _largest(*matrices: Matrix) -> npt.NDArray[np.float32]:
    """Largest magnitude of each column over all of them."""
    largest: npt.NDArray[np.float32] = np.abs(np.concatenate(matrices)).max(axis=0)
    return largest


def _norms(matrix: Matrix) -> npt.NDArray[np.float32]:
    """Length of each row."""
    lengths: npt.NDArray[np.float32] = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
    return lengths
