"""Keep glibc from hoarding freed memory while batches of ever other shapes go through a model.

glibc raises its threshold for separately mapped blocks, up to 32 MiB, with every such block that is
freed. From then on activations come from the heap, where blocks of varying sizes leave holes that
are never given back: indexing 25 files with MiniLM in torch peaked at 988 MB, with the thresholds
fixed at 711 MB. The price is 6-9 % of the processor time, for mapping pages anew.
"""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
# Activations are larger than 4 MiB in every batch worth batching; smaller blocks stay cheap.
_MMAP_BYTES = 4 << 20
_TRIM_BYTES = 128 << 20


def limit_hoarding() -> bool:
    """Fix the allocator's thresholds for this process; False where it is not glibc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018 - musl has a mallopt in name only, but not this
        return bool(libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)) and bool(
            libc.mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
        )
    except (OSError, AttributeError):
        return False
