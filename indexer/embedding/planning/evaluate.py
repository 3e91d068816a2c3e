"""One mode on one machine: its predicted cost, and what would keep it from running."""

from dataclasses import dataclass, replace

from indexer.embedding.hardware.machine import Gpu, Hardware
from indexer.embedding.hardware.rates import assume_rates
from indexer.embedding.planning import memory
from indexer.embedding.planning.candidates import Candidate
from indexer.embedding.planning.plan import MemoryNeed, Prediction
from indexer.embedding.planning.size import ModelSize
from indexer.embedding.planning.speed import speed_of
from indexer.embedding.runtimes.packed.products import FP8_CAPABILITY
from indexer.embedding.wishes import Engine, Wishes
from indexer.modes import Placement, Precision

# Left alone of what is free: other programs move too, and predictions are within 15 %.
_KEPT_FREE = 0.05
# Smaller batches than this lose speed for little memory (a chunk has 512 tokens).
_LEAST_BATCH_TOKENS = 512
_ASSUMED_DISK = 500e6  # bytes per second: a SATA SSD
# The oldest compute capability that torch's CUDA builds still carry kernels for, by toolkit
# (PyTorch 2.8 release notes: 12.8 without Maxwell and Pascal, 13.0 without Volta).
_OLDEST = (((13, 0), (7, 5)), ((12, 8), (7, 0)), ((0, 0), (5, 0)))


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that a model may take."""

    ram: int
    vram: int  # CUDA's own memory included
    wished_vram: int | None = None  # what torch may reserve, CUDA's own not included

    def shortage(self, prediction: Prediction) -> int:
        """Bytes by which the tightest memory is exceeded; 0 or less: it fits."""
        over = [prediction.ram.peak - self.ram]
        if prediction.vram.peak:
            over.append(prediction.vram.peak - self.vram)
            if self.wished_vram is not None:
                reserved = prediction.vram.peak - prediction.vram.base
                over.append(reserved - self.wished_vram)
        return max(over)


def budget_of(hardware: Hardware, gpu: Gpu | None, wishes: Wishes) -> Budget:
    """What is free, less a reserve, and never more than was asked for."""
    ram = int(hardware.memory.usable_bytes * (1 - _KEPT_FREE))
    if wishes.max_ram_bytes is not None:
        ram = min(ram, wishes.max_ram_bytes)
    vram = int(gpu.free_bytes * (1 - _KEPT_FREE)) if gpu else 0
    return Budget(ram, vram, wishes.max_vram_bytes)


def choose_gpu(hardware: Hardware, wishes: Wishes) -> Gpu | None:
    """The GPU that was asked for, else the one with the most free memory."""
    gpus = hardware.gpus
    if wishes.device is not None and ":" in wishes.device:
        wanted = wishes.device.rpartition(":")[2]
        gpus = tuple(gpu for gpu in gpus if str(gpu.index) == wanted)
    return max(gpus, key=lambda gpu: gpu.free_bytes, default=None)


def missing_hardware(hardware: Hardware, gpu: Gpu | None, candidate: Candidate) -> str | None:
    """Why a mode cannot run here whatever the memory; None: it can."""
    torch = hardware.torch
    if candidate.engine is Engine.TORCH and torch is None:
        return "torch is not installed"
    if candidate.engine is None or candidate.placement is Placement.CPU or torch is None:
        return None
    if gpu is None:
        return "no NVIDIA GPU found"
    is_fp8 = candidate.precision is Precision.FP8
    if torch.hip is not None:
        # AMD's build; its cards are no NVIDIA ones, and capability means nothing.
        return "AMD's cards have another 8-bit float" if is_fp8 else None
    if torch.cuda is None:
        return (
            f"{gpu.name}, but torch {torch.version} is a build without CUDA: install one from "
            "pytorch.org/get-started"
        )
    oldest = oldest_capability(torch.cuda)
    if gpu.capability < oldest:
        return (
            f"{gpu.name} has compute capability {_dotted(gpu.capability)}, torch {torch.version} "
            f"starts at {_dotted(oldest)}"
        )
    if is_fp8 and gpu.capability < FP8_CAPABILITY:
        return (
            f"{gpu.name} has compute capability {_dotted(gpu.capability)}, fp8 products start at "
            f"{_dotted(FP8_CAPABILITY)}"
        )
    return None


def oldest_capability(cuda: str) -> tuple[int, int]:
    """The oldest compute capability that a torch built for this toolkit runs on."""
    parts = [int(part) for part in cuda.split(".")[:2] if part.isdecimal()]
    toolkit = (parts[0], parts[1] if len(parts) > 1 else 0) if parts else (0, 0)
    return next(oldest for least, oldest in _OLDEST if toolkit >= least)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def predict(
    size: ModelSize, candidate: Candidate, hardware: Hardware, gpu: Gpu | None, wishes: Wishes
) -> Prediction:
    """Cost of a mode with the largest batch that fits; if none does, with the smallest.

    Speed is left out where there is no GPU to tell it from.
    """
    budget = budget_of(hardware, gpu, wishes)
    tokens = wishes.max_batch_tokens or candidate.batch_tokens
    if candidate.engine is None:
        return Prediction(memory.remote_need(size), MemoryNeed(), tokens)
    elsewhere = candidate.placement is not Placement.CPU and gpu is None
    # A number that was asked for is kept; where there is no card, there is nothing to fit into.
    fixed = wishes.max_batch_tokens is not None or elsewhere
    least = tokens if fixed else min(tokens, _LEAST_BATCH_TOKENS)
    while True:
        found = _with_batch(size, candidate, budget, tokens)
        if budget.shortage(found) <= 0 or tokens <= least:
            break
        tokens = max(least, tokens // 2)
    if elsewhere:
        return found
    rates = hardware.rates or assume_rates(hardware.cpu)
    layers = size.layers if found.resident_layers is None else found.resident_layers
    disk_s = found.disk_bytes / (_disk_rate(hardware) or _ASSUMED_DISK)
    speed = speed_of(size, candidate, rates, gpu, tokens, layers, disk_s)
    return replace(found, speed=speed)


def _disk_rate(hardware: Hardware) -> float | None:
    return hardware.disk.read_bytes_per_s if hardware.disk else None


def _with_batch(
    size: ModelSize, candidate: Candidate, budget: Budget, batch_tokens: int
) -> Prediction:
    if candidate.placement is Placement.CPU:
        return Prediction(
            memory.cpu_need(size, candidate, batch_tokens), MemoryNeed(), batch_tokens
        )
    ram = memory.gpu_ram_need(size, candidate)
    if candidate.placement is Placement.GPU:
        return Prediction(ram, memory.gpu_need(size, candidate, batch_tokens), batch_tokens)
    room = budget.vram
    if budget.wished_vram is not None:
        room = min(room, budget.wished_vram + memory.CUDA_CONTEXT)
    layers = memory.most_resident_layers(size, candidate, batch_tokens, room)
    need = memory.offload_need(size, candidate, batch_tokens, layers)
    disk_bytes = 0
    if size.against_packed is not None and ram.peak > budget.ram:
        ram, disk_bytes = memory.disk_need(size, candidate, budget.ram)
    return Prediction(ram, need, batch_tokens, layers, disk_bytes)
