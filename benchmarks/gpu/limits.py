"""What the machine itself can do: matrix products in bf16, pinned copies to the device."""

import statistics
import time
from collections.abc import Callable

from engines import synchronise


def matmul_flops(device: str) -> float:
    """Operations per second of a large bf16 product, the median of ten."""
    import torch

    size = 8192 if device != "cpu" else 1024
    left = torch.randn((size, size), device=device).to(torch.bfloat16)
    return 2.0 * size**3 / _median(lambda: left @ left, device)


def copy_seconds(size_bytes: int, layers: int, device: str) -> float:
    """Seconds to bring all layers from pinned memory, one copy each, the median of ten."""
    import torch

    host = torch.zeros((layers, size_bytes), dtype=torch.uint8, pin_memory=device != "cpu")
    target = torch.zeros(size_bytes, dtype=torch.uint8, device=device)

    def bring() -> None:
        for layer in host:
            target.copy_(layer, non_blocking=True)

    return _median(bring, device)


def _median(work: Callable[[], object], device: str, times: int = 10) -> float:
    work()
    seconds = []
    for _ in range(times):
        synchronise(device)
        started = time.perf_counter()
        work()
        synchronise(device)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
