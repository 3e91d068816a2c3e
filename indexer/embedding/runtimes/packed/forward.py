"""The forward pass, written once: the layers' weights come one by one, from wherever they are."""

from contextlib import closing
from typing import TYPE_CHECKING

from indexer.embedding.qwen3_config import Qwen3Config
from indexer.embedding.runtimes.packed.attention import Attend
from indexer.embedding.runtimes.packed.batch import PackedBatch
from indexer.embedding.runtimes.packed.layers import Rotation, norm, run_last_layer, run_layer
from indexer.embedding.runtimes.packed.layout import LayerStream

if TYPE_CHECKING:
    import torch


def run_forward(
    batch: PackedBatch,
    states: "torch.Tensor",
    layers: LayerStream,
    final_norm: "torch.Tensor",
    config: Qwen3Config,
    attend: Attend,
) -> "torch.Tensor":
    """Pooled, unnormalised vectors, float32, shape (texts, hidden), on the states' device.

    Args:
        batch: on the states' device.
        states: embeddings of the tokens, shape (tokens, hidden); overwritten.
        layers: closed at the end, also when something fails.
        final_norm: gains of the norm after the last layer.
        config: of the model.
        attend: the attention to use.
    """
    rotation = Rotation.at(batch.positions, config, states.dtype)
    with closing(layers):
        for index, weights in enumerate(layers):
            if index < config.layers - 1:
                run_layer(states, weights, batch, rotation, config, attend)
            else:
                states = run_last_layer(states, weights, batch, rotation, config, attend)
    return norm(states, final_norm, config.eps).float()
