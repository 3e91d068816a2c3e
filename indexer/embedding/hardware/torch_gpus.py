"""GPUs as torch sees them, where the driver's own library does not answer. Imports torch."""

from indexer.embedding.hardware.machine import Gpu


def read_torch_gpus() -> tuple[Gpu, ...]:
    """The GPUs of torch's CUDA or ROCm; empty where it sees none."""
    import torch

    if not torch.cuda.is_available():
        return ()
    gpus = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
        gpus.append(
            Gpu(
                index=index,
                name=properties.name,
                total_bytes=total,
                free_bytes=free,
                capability=(properties.major, properties.minor),
            )
        )
    return tuple(gpus)
