"""Predicted speed of a mode: operations over measured or assumed rates, weights over bandwidth.

A transformer encoder at our lengths costs 2 operations per matrix weight and token; attention adds
7 % at 512 tokens and is left out.
"""

from dataclasses import dataclass

from indexer.embedding.hardware.machine import Gpu, Rates
from indexer.embedding.planning.candidates import Candidate
from indexer.embedding.planning.plan import Speed
from indexer.embedding.planning.size import ModelSize
from indexer.embedding.runtimes.packed.products import INT8_CAPABILITY
from indexer.embedding.wishes import Engine
from indexer.modes import Placement, Precision

QUERY_TOKENS, PASSAGE_TOKENS = 24, 128


@dataclass(frozen=True, slots=True)
class _Shares:
    """Share of the peak rate that a forward reaches: query, passage of 128 tokens, indexing."""

    query: float
    passage: float
    bulk: float


# torch: measured on two cores of an EPYC Milan with Qwen3-0.6B, where numpy's fp32 product ran at
# 172 GFLOP/s: transformers fp32 331-502 and 1,575 ms, 107-116 tokens/s sorted; bf16, for lack of
# bf16 instructions, 1,199 and 5,821 ms. ONNX: on two Zen 5 cores, where its products ran at 425
# GFLOP/s and 1,589 GOP/s: fp32 103 and 322 ms, 403 tokens/s; int8 39 and 121 ms, 947 tokens/s.
# (Milan, at 172 and about 310: fp32 162 and 881 ms, 163 tokens/s; int8 99 and 457 ms, 261.)
_CPU_SHARES = {
    (Engine.TORCH, Precision.FP32): _Shares(0.30, 0.42, 0.57),
    (Engine.TORCH, Precision.BF16): _Shares(0.10, 0.11, 0.11),
    (Engine.ONNX, Precision.FP32): _Shares(0.48, 0.80, 0.83),
    (Engine.ONNX, Precision.INT8): _Shares(0.34, 0.58, 0.52),
}
# Assumed for transformers on a GPU; bulk is the least our own forward is built for.
_GPU_SHARES = _Shares(0.30, 0.35, 0.45)
# Launching the kernels of one layer from Python takes about this long (28 layers of Qwen3: 11 ms).
_LAUNCH_S_PER_LAYER = 0.4e-3
_ASSUMED_PCIE = 12e9  # generation 3, 16 lanes
_ASSUMED_GPU_MEMORY = 200e9
# Multiply-adds per cycle and multiprocessor in half precision, and CUDA cores per multiprocessor,
# by compute capability (NVIDIA's architecture white papers: V100, T4, A100, GA102, L40, H100).
_TENSOR = {(7, 0): (512, 64), (7, 5): (512, 64), (8, 0): (1024, 64), (8, 6): (512, 128)}
_TENSOR |= {(8, 7): (512, 128), (8, 9): (512, 128), (9, 0): (2048, 128)}
_TENSOR_NEWER = (1024, 128)
_ASSUMED_CORES, _ASSUMED_CLOCK_HZ = 1024, 1.4e9


def cpu_speed(size: ModelSize, candidate: Candidate, rates: Rates) -> Speed:
    """Speed on the CPU."""
    assert candidate.engine is not None
    shares = _CPU_SHARES[candidate.engine, candidate.precision]
    rate = rates.fp32_flops
    if candidate.precision is Precision.INT8:
        rate = rates.int8_ops
    elif candidate.engine is Engine.ONNX:
        rate = rates.onnx_flops or rates.fp32_flops
    reading_s = size.matrix_values * candidate.value_bytes / rates.memory_bytes_per_s

    def seconds(tokens: int, share: float) -> float:
        return max(2 * size.matrix_values * tokens / (rate * share), reading_s)

    return Speed(
        query_ms=1e3 * seconds(QUERY_TOKENS, shares.query),
        passage_ms=1e3 * seconds(PASSAGE_TOKENS, shares.passage),
        tokens_per_s=rate * shares.bulk / (2 * size.matrix_values),
    )


def gpu_speed(
    size: ModelSize,
    candidate: Candidate,
    gpu: Gpu,
    batch_tokens: int,
    resident_layers: int,
    disk_s: float = 0.0,
) -> Speed:
    """Speed on a GPU; layers that are not resident are copied for every batch.

    Weights on disk are read for every batch too: `disk_s`, with nothing computed meanwhile.
    """
    rate = gpu_flops(gpu, candidate.precision)
    streamed = max(0, size.layers - resident_layers) * size.layer_values * candidate.value_bytes
    copying_s = streamed / (gpu.pcie_bytes_per_s or _ASSUMED_PCIE)
    weights_bytes = size.matrix_values * (candidate.value_bytes + _widened_bytes(candidate, gpu))
    reading_s = weights_bytes / (gpu.memory_bytes_per_s or _ASSUMED_GPU_MEMORY)
    launching_s = size.layers * _LAUNCH_S_PER_LAYER

    def seconds(tokens: int, share: float) -> float:
        computing_s = 2 * size.matrix_values * tokens / (rate * share)
        return disk_s + max(computing_s, reading_s, launching_s, copying_s)

    return Speed(
        query_ms=1e3 * seconds(QUERY_TOKENS, _GPU_SHARES.query),
        passage_ms=1e3 * seconds(PASSAGE_TOKENS, _GPU_SHARES.passage),
        tokens_per_s=batch_tokens / seconds(batch_tokens, _GPU_SHARES.bulk),
    )


def _widened_bytes(candidate: Candidate, gpu: Gpu) -> float:
    """Bytes moved for each weight that is multiplied out for a pass: written, and read again."""
    streamed = candidate.placement is Placement.OFFLOAD
    has_int8 = gpu.capability >= INT8_CAPABILITY and not streamed
    widened = candidate.precision is Precision.INT4 or (
        candidate.precision is Precision.INT8 and not has_int8
    )
    return 4.0 if widened else 0.0


def gpu_flops(gpu: Gpu, precision: Precision) -> float:
    """Peak operations per second of matrix products, by the card's cores and clock.

    int8 and fp8 count as half precision: what their kernels gain over the rounding of tokens was
    not measured yet, and a plan must not promise it.
    """
    cores = gpu.cores or _ASSUMED_CORES
    clock = gpu.clock_hz or _ASSUMED_CLOCK_HZ
    plain = 2.0 * cores * clock
    if precision is Precision.FP32 or gpu.capability < (7, 0):
        # Cards before tensor cores multiply half precision no faster, most far slower.
        return plain if precision is Precision.FP32 else plain / 2
    if precision is Precision.BF16 and gpu.capability < (8, 0):
        return plain / 2  # emulated
    per_cycle, cores_each = _TENSOR.get(gpu.capability, _TENSOR_NEWER)
    return 2.0 * per_cycle * (cores / cores_each) * clock


def speed_of(
    size: ModelSize,
    candidate: Candidate,
    rates: Rates,
    gpu: Gpu | None,
    batch_tokens: int,
    resident_layers: int,
    disk_s: float = 0.0,
) -> Speed:
    """Speed of a candidate where it would run; `disk_s` to read weights for every batch."""
    if candidate.placement is Placement.CPU or gpu is None:
        return cpu_speed(size, candidate, rates)
    return gpu_speed(size, candidate, gpu, batch_tokens, resident_layers, disk_s)
