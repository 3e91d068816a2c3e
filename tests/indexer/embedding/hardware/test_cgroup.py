"""Container limits of both versions, nested, absent and unreadable."""

from pathlib import Path

import pytest

from indexer.embedding.hardware.cgroup import memory_left_bytes, quota_cores

MIB = 1 << 20


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_version_2_quota_and_memory_of_the_own_group(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/app\n",
            "sys/fs/cgroup/app/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/app/memory.max": f"{512 * MIB}\n",
            "sys/fs/cgroup/app/memory.current": f"{200 * MIB}\n",
            "sys/fs/cgroup/app/memory.stat": f"anon 1\ninactive_file {50 * MIB}\n",
        },
    )
    assert quota_cores(root) == 1.5
    assert memory_left_bytes(root) == (512 - 200 + 50) * MIB


def test_version_1_quota_and_memory(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/a\n2:cpu,cpuacct:/docker/a\n",
            "sys/fs/cgroup/cpu/docker/a/cpu.cfs_quota_us": "400000\n",
            "sys/fs/cgroup/cpu/docker/a/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes": f"{1024 * MIB}\n",
            "sys/fs/cgroup/memory/docker/a/memory.usage_in_bytes": f"{24 * MIB}\n",
        },
    )
    assert quota_cores(root) == 4.0
    assert memory_left_bytes(root) == 1000 * MIB


def test_tightest_group_on_the_way_up_counts(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/outer/inner\n",
            "sys/fs/cgroup/outer/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/outer/inner/cpu.max": "max 100000\n",
            "sys/fs/cgroup/outer/memory.high": f"{64 * MIB}\n",
            "sys/fs/cgroup/outer/memory.current": f"{80 * MIB}\n",
            "sys/fs/cgroup/outer/inner/memory.max": "max\n",
            "sys/fs/cgroup/outer/inner/memory.current": "1\n",
        },
    )
    assert quota_cores(root) == 2.0
    assert memory_left_bytes(root) == 0


def test_group_outside_of_the_own_view_reads_the_root(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {"proc/self/cgroup": "0::/../..\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"},
    )
    assert quota_cores(root) == 1.0


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "nonsense\n"},
        {"proc/self/cgroup": "0::/\n"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "x y\n"},
        {
            "proc/self/cgroup": "2:cpu:/\n4:memory:/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "1\n",
        },
    ],
)
def test_nothing_readable_is_no_limit(tmp_path: Path, files: dict[str, str]) -> None:
    root = tree(tmp_path, files)
    assert quota_cores(root) is None
    assert memory_left_bytes(root) is None
