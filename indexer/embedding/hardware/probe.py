"""Look at this machine: every part that cannot be read leaves a note and goes on."""

from pathlib import Path

from indexer.embedding.hardware.cpu import read_cpu
from indexer.embedding.hardware.disk import read_disk
from indexer.embedding.hardware.gpu import read_gpus
from indexer.embedding.hardware.machine import Disk, Hardware
from indexer.embedding.hardware.memory import read_memory
from indexer.embedding.hardware.rates import assume_rates, measure_rates
from indexer.embedding.hardware.torch_build import read_torch_build


def probe(
    visible_gpus: str | None = None, folder: Path | None = None, *, measure_speed: bool = False
) -> Hardware:
    """What this machine has; a few milliseconds, or half a second with speeds.

    Args:
        visible_gpus: value of CUDA_VISIBLE_DEVICES; None: all.
        folder: holds the model, whose disk counts; None: no disk.
        measure_speed: time a matrix product and a read of the weights; otherwise assume.
    """
    cpu, notes = read_cpu()
    memory, memory_notes = read_memory()
    gpus, gpu_notes = read_gpus(visible_gpus)
    disk: Disk | None = None
    disk_notes: list[str] = []
    if folder is not None:
        weights = _largest(folder) if measure_speed else None
        disk, disk_notes = read_disk(weights, folder)
    return Hardware(
        cpu=cpu,
        memory=memory,
        gpus=gpus,
        disk=disk,
        torch=read_torch_build(),
        rates=measure_rates(cpu) if measure_speed else assume_rates(cpu),
        notes=(*notes, *memory_notes, *gpu_notes, *disk_notes),
    )


def _largest(folder: Path) -> Path | None:
    """The largest weight file of a model's folder."""
    try:
        files = [path for path in folder.glob("*.safetensors") if path.is_file()]
        return max(files, key=lambda path: path.stat().st_size, default=None)
    except OSError:
        return None
