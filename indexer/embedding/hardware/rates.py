"""How fast the processor multiplies: measured in half a second, or assumed."""

import sys
import time
from collections.abc import Callable

import numpy as np

from indexer.embedding.hardware.cpu import threads_for
from indexer.embedding.hardware.machine import Cpu, Rates

# The product of a transformer layer at a usual batch: tokens x hidden x intermediate.
_TOKENS, _HIDDEN, _INNER = 512, 1024, 3072
# fp32 operations per cycle of one core, at an assumed 2.5 GHz of all cores; and int8 over fp32.
# Two fused multiply-adds of the vector width per cycle (Intel and AMD optimisation guides); int8
# without VNNI takes three instructions for four values, measured 1.9x fp32 on an EPYC Milan.
_CLOCK_HZ = 2.5e9
_PER_CYCLE = {"avx512f": 64, "avx2": 32, "neon": 16}
_INT8_GAIN = {"avx512_vnni": 3.0, "avx_vnni": 3.0, "amx_int8": 8.0, "i8mm": 4.0, "dotprod": 2.0}
_PLAIN_GAIN = 1.9
# Long enough that other programs leave one run alone.
_LEAST_RUNS, _MEASURING_S = 5, 0.25
# Copying large arrays: desktop memory with two channels; measured 30-33 GB/s on two server cores.
_MEMORY_BYTES_PER_S = 20e9


def assume_rates(cpu: Cpu) -> Rates:
    """Speeds by cores and instruction set, for choosing where nothing was measured."""
    per_cycle = max([count for flag, count in _PER_CYCLE.items() if flag in cpu.flags], default=8)
    flops = threads_for(cpu) * _CLOCK_HZ * per_cycle
    gain = _int8_gain(cpu)
    return Rates(flops, flops * gain, _MEMORY_BYTES_PER_S, measured=False)


def measure_rates(cpu: Cpu) -> Rates:
    """Speeds by one matrix product in each library and one copy, the best of several runs each."""
    from indexer.embedding.onnx.products import products

    threads = threads_for(cpu)
    left = np.ones((_TOKENS, _HIDDEN), dtype=np.float32)
    right = np.ones((_HIDDEN, _INNER), dtype=np.float32)
    out = np.empty((_TOKENS, _INNER), dtype=np.float32)
    np.matmul(left, right, out=out)  # starts the threads
    best_s = _best(lambda: np.matmul(left, right, out=out), threads)
    operations = 2.0 * _TOKENS * _HIDDEN * _INNER
    by_onnx = {}
    for name, run in products(_TOKENS, _HIDDEN, _INNER, threads).items():
        run()
        by_onnx[name] = operations / _best(run, threads)
    source = np.ones(16 << 20, dtype=np.uint8)
    target = np.empty_like(source)
    copied = 2 * source.nbytes / _best(lambda: np.copyto(target, source), 1)
    return Rates(operations / best_s, by_onnx["int8"], copied, True, by_onnx["fp32"])


def _int8_gain(cpu: Cpu) -> float:
    return max([g for flag, g in _INT8_GAIN.items() if flag in cpu.flags], default=_PLAIN_GAIN)


def _best(work: Callable[[], object], threads: int) -> float:
    """Seconds of the fastest of the runs within a quarter of a second, at least five.

    Where other programs take turns on the cores, the processor time of the threads tells what the
    work would take alone; where threads also wait, the wall clock does. The lesser of both counts.
    """
    times: list[float] = []
    until = time.perf_counter() + _MEASURING_S
    while len(times) < _LEAST_RUNS or time.perf_counter() < until:
        wall, used = time.perf_counter(), time.process_time()
        work()
        used = (time.process_time() - used) / threads
        wall = time.perf_counter() - wall
        # The processor's clock ticks every 16 ms on Windows.
        times.append(wall if sys.platform == "win32" else min(wall, used))
    return min(times)
