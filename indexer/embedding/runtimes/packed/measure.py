"""What a layer costs on this device: bytes and seconds, measured at warm-up, not guessed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.embedding.qwen3_config import Qwen3Config
from indexer.embedding.runtimes.packed.attention import Attend
from indexer.embedding.runtimes.packed.batch import pack
from indexer.embedding.runtimes.packed.budget import Rates
from indexer.embedding.runtimes.packed.copies import Copies
from indexer.embedding.runtimes.packed.layers import Rotation, run_layer
from indexer.embedding.runtimes.packed.layout import LayerWeights

if TYPE_CHECKING:
    import torch

_TEXT_TOKENS = 128
# Blocks of torch's allocator come in multiples of 2 MiB and texts in many sizes; what lies between
# was at most this share of the activations in passes over mixed batches.
_ROUNDING = 1.15


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """Device memory of computing, beyond the weights."""

    token_bytes: int  # alive per token of a batch
    workspace_bytes: int  # kept by the libraries after the first pass


def measure_memory(
    weights: LayerWeights, config: Qwen3Config, attend: Attend, tokens: int
) -> LayerMemory:
    """Memory of one layer's pass; on the CPU, whose memory nobody counts, by the formula."""
    import torch

    device, dtype = weights.input_norm.device, weights.input_norm.dtype
    predicted = config.activation_bytes(dtype.itemsize)
    if device.type != "cuda":
        return LayerMemory(predicted, 0)
    before = torch.cuda.memory_allocated(device)
    run = _passes(weights, config, attend, tokens)
    run()  # the libraries take their workspace
    states_bytes = tokens * config.hidden * dtype.itemsize
    kept = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    run()
    transient = torch.cuda.max_memory_allocated(device) - kept + states_bytes
    token_bytes = max(int(transient / tokens * _ROUNDING), predicted)
    return LayerMemory(token_bytes, max(0, kept - before - states_bytes))


def measure_rates(
    weights: LayerWeights,
    config: Qwen3Config,
    attend: Attend,
    copies: Copies,
    source: "torch.Tensor",
    target: "torch.Tensor",
    tokens: int,
) -> Rates:
    """Seconds to bring one layer and to compute one token in it.

    Args:
        weights: a layer on the device.
        config: of the model.
        attend: the attention to use.
        copies: the way to the device.
        source: a packed layer in RAM, pinned if it can be.
        target: an arrival buffer.
        tokens: in the timed batch.
    """

    def bring() -> None:
        copies.copy(source, target, copies.mark())

    run = _passes(weights, config, attend, tokens)
    return Rates(_best_of(bring, copies), max(_best_of(run, copies) / tokens, 1e-12))


def _passes(
    weights: LayerWeights, config: Qwen3Config, attend: Attend, tokens: int
) -> Callable[[], None]:
    """One pass of a layer over texts of about the usual length, to be called again and again."""
    import torch

    device = str(weights.input_norm.device)
    count = max(1, tokens // _TEXT_TOKENS)
    batch = pack([[0] * min(tokens, _TEXT_TOKENS)] * count).to(device)
    shape = (batch.tokens, config.hidden)
    states = torch.zeros(shape, dtype=weights.input_norm.dtype, device=device)
    rotation = Rotation.at(batch.positions, config, states.dtype)
    return lambda: run_layer(states, weights, batch, rotation, config, attend)


def _best_of(work: Callable[[], object], copies: Copies, times: int = 3) -> float:
    """Seconds of the fastest run: what the device can do when nothing disturbs it."""
    work()  # the first one pays for loading kernels
    best = float("inf")
    for _ in range(times):
        copies.finish()
        started = time.perf_counter()
        work()
        copies.finish()
        best = min(best, time.perf_counter() - started)
    return best
