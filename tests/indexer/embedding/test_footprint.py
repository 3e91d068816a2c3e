"""Peak memory: of this process alone, and growing with what it touches."""

import subprocess
import sys

import pytest

from indexer.embedding.footprint import peak_rss_bytes, peak_vram_bytes

MIB = 1 << 20


def test_peak_grows_by_what_is_touched_and_stays_after_it_is_freed() -> None:
    code = (
        "from indexer.embedding.footprint import peak_rss_bytes\n"
        "before = peak_rss_bytes()\n"
        f"block = b'x' * (64 * {MIB})\n"
        "del block\n"
        "print(peak_rss_bytes() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 60 * MIB < int(done.stdout) < 80 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="getrusage inherits the peak on Linux only")
def test_peak_of_a_child_does_not_count_its_parent() -> None:
    """ru_maxrss of a small child of a large parent is the parent's."""
    block = b"x" * (200 * MIB)
    code = "from indexer.embedding.footprint import peak_rss_bytes; print(peak_rss_bytes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100 * MIB < len(block) < peak_rss_bytes()


def test_no_vram_where_torch_holds_none() -> None:
    code = (
        "import sys\n"
        "from indexer.embedding.footprint import peak_vram_bytes\n"
        "print(peak_vram_bytes(), 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None False\n"


@pytest.mark.gpu
def test_vram_peak_counts_a_tensor() -> None:
    import torch

    block = torch.ones(64 * MIB, dtype=torch.uint8, device="cuda")
    assert (peak_vram_bytes() or 0) >= block.nbytes
