"""The memory of a process counts what it started."""

import subprocess
import sys

from app.evaluation.process_tree import TreePeak, tree_bytes

_CHILD = "a = bytearray(150 << 20); a[::4096] = b'1' * len(a[::4096]); input()"
_PARENT = (
    f"import subprocess, sys;subprocess.run([sys.executable, '-c', {_CHILD!r}], stdin=sys.stdin)"
)


def test_peak_of_a_tree_counts_a_grandchild_and_outlives_it() -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdin=subprocess.PIPE) as process:
        with TreePeak(process.pid) as peak:
            while peak.ram_bytes < 150 << 20:
                assert process.poll() is None
            process.communicate(b"\n")
        assert 150 << 20 < peak.ram_bytes < 400 << 20
        assert peak.vram_bytes is None
    assert tree_bytes(process.pid) == 0
