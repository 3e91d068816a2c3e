"""Memory: what the system says, what limits leave."""

import sys
from pathlib import Path

import pytest

from indexer.embedding.hardware.machine import Memory
from indexer.embedding.hardware.memory import read_memory

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@linux
def test_available_memory_is_read(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(
        "MemTotal:  2048 kB\nMemFree: 100 kB\nMemAvailable: 1024 kB\nHugePages_Total: 0\n"
    )
    memory, notes = read_memory(tmp_path)
    assert (memory.total_bytes, memory.available_bytes, notes) == (2048 << 10, 1024 << 10, [])


@linux
def test_old_kernels_count_free_and_cached(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 2048 kB\nMemFree: 100 kB\nCached: 50 kB\n")
    assert read_memory(tmp_path)[0].available_bytes == 150 << 10


@linux
def test_unreadable_memory_is_assumed_with_a_note(tmp_path: Path) -> None:
    memory, notes = read_memory(tmp_path)
    assert memory.total_bytes == 2 << 30
    assert any("assumed" in note for note in notes)


@pytest.mark.parametrize(
    ("container", "address_space", "usable"),
    [(None, None, 1000), (300, None, 300), (None, 200, 200), (300, 200, 200), (0, None, 0)],
)
def test_tightest_limit_is_usable(
    container: int | None, address_space: int | None, usable: int
) -> None:
    assert Memory(2000, 1000, container, address_space).usable_bytes == usable
