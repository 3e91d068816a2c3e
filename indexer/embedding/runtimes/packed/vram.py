"""A GPU's memory as this process may use it."""


def full_name(device: str) -> str:
    """The device with its index, "cuda" being the current one; some calls insist on it."""
    import torch

    return f"cuda:{torch.cuda.current_device()}" if device == "cuda" else device


def free_vram(device: str) -> int:
    """Bytes that torch can still hand out on the device."""
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    # What torch has taken from the driver and does not use is as good as free.
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def limit_vram(device: str, limit_bytes: int) -> None:
    """Let torch take at most this much: beyond it, it gives cached memory back, or is out of it.

    The CUDA context itself (some 300 MB) comes on top; torch cannot count it.
    """
    import torch

    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, limit_bytes / total), device)


def lift_limit(device: str) -> None:
    """Undo `limit_vram`."""
    import torch

    torch.cuda.set_per_process_memory_fraction(1.0, device)
