"""What embedding will cost on this machine, before a model is loaded.

A transformer encoder at our lengths costs 2 operations per matrix weight and token. The weights are
counted from the checkpoint's headers, the machine's speed is measured with one matrix product;
nothing of the model runs.
"""

import json
import math
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer.embedding.model_folder import weight_files
from indexer.embedding.runtimes.base import default_batch_tokens
from indexer.embedding.spec import ModelSpec
from indexer.errors import ModelError
from indexer.modes import Placement, Precision

# Share of the matrix peak that a whole forward reaches: transformers fp32, batches sorted by
# length, 107-116 tokens/s x 0.88 GFLOP where the product ran at 172 GFLOP/s (two EPYC cores).
EFFICIENCY = 0.57
# Python with torch and transformers loaded, no model (measured: 0.35-0.45 GB).
BASE_BYTES = 450 << 20
# Values alive per token and hidden unit in the widest layer (states, QKV, gate and up).
ACTIVATIONS_PER_HIDDEN = 16
_MAX_HEADER_BYTES = 100 << 20  # safetensors' own limit


@dataclass(frozen=True, slots=True)
class Cost:
    """Predicted cost of running a model."""

    mode: str  # placement and precision, e.g. "cpu:fp32"
    tokens_per_s: float
    ram_bytes: int


def predict_cost(
    spec: ModelSpec,
    placement: Placement | None,
    precision: Precision,
    batch_tokens: int | None = None,
) -> Cost:
    """Speed and peak memory of a model on `placement`; None takes the GPU where there is one.

    Raises:
        ModelError: the folder holds no readable safetensors.
    """
    if placement is None:
        placement = Placement.GPU if _has_gpu() else Placement.CPU
    tables, matrices = _count_weights(spec.transformer_folder)
    speed = _gpu_flops(precision) if placement is Placement.GPU else _cpu_flops()
    value_bytes = 4 if precision is Precision.FP32 else 2
    batch_tokens = batch_tokens or default_batch_tokens(placement)
    activations = batch_tokens * spec.hidden_size * ACTIVATIONS_PER_HIDDEN * value_bytes
    return Cost(
        mode=f"{placement}:{precision}",
        tokens_per_s=speed * EFFICIENCY / (2 * matrices),
        # The checkpoint stays mapped beside the loaded weights while it is read.
        ram_bytes=BASE_BYTES + spec.weights_bytes + (tables + matrices) * value_bytes + activations,
    )


def _count_weights(folder: Path) -> tuple[int, int]:
    """(values in token and position tables, values in matrices)."""
    tables = matrices = 0
    for file in weight_files(folder):
        for name, shape in _read_shapes(file).items():
            if len(shape) < 2:
                continue  # norms and biases: neither large nor multiplied
            if "embed" in name:
                tables += math.prod(shape)
            else:
                matrices += math.prod(shape)
    if not matrices:
        raise ModelError(f"{folder}: its safetensors hold no weights, so no cost can be predicted.")
    return tables, matrices


def _read_shapes(file: Path) -> dict[str, list[int]]:
    """{tensor: shape} from a safetensors header.

    Raises:
        ModelError: the file is damaged or something else.
    """
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _MAX_HEADER_BYTES:
                raise ValueError(f"its header claims {length:,} bytes, at most 100 MiB are allowed")
            text = stream.read(length)
        if len(text) < length:
            raise ValueError(f"it ends after {len(text):,} of {length:,} header bytes")
        header = json.loads(text)
        return {name: _shape(header[name]) for name in header if name != "__metadata__"}
    # What json and the lookups raise on any other content, nesting without end included.
    except (OSError, struct.error, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{file}: cannot be read as safetensors: {error or type(error).__name__}. "
            "Fetch the model again."
        ) from None


def _shape(entry: dict[str, Any]) -> list[int]:
    shape = entry["shape"]
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"a tensor of shape {shape!r:.80}")
    return shape


def _cpu_flops() -> float:
    """Operations per second of an fp32 product of a transformer layer's shape."""
    left = np.ones((512, 1024), dtype=np.float32)
    right = np.ones((1024, 3072), dtype=np.float32)
    np.matmul(left, right)  # starts the threads
    return 2.0 * 512 * 1024 * 3072 / min(_timed(lambda: left @ right) for _ in range(5))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _gpu_flops(precision: Precision) -> float:
    """The same on the first CUDA device."""
    import torch

    kinds = {Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16}
    left = torch.ones((4096, 4096), dtype=kinds.get(precision, torch.float32), device="cuda")

    def product() -> None:
        torch.mm(left, left)
        torch.cuda.synchronize()

    product()
    return 2.0 * 4096**3 / min(_timed(product) for _ in range(5))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
