"""What a table of figures must name: hardware, versions, commit, day."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_LIBRARIES = ("onnxruntime", "faiss-cpu", "tantivy", "fastapi", "uvicorn", "sentence-transformers")


def about() -> dict[str, Any]:
    """Of this process's own environment; peers add theirs (`versions_in`)."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "commit": _commit(),
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": {name: version(name) for name in _LIBRARIES},
    }


def versions_in(python: Path, names: Sequence[str]) -> dict[str, str]:
    """{package: version} in another environment."""
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    asked = subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=True)
    return dict(zip(names, asked.stdout.split(), strict=True))


def caption(found: dict[str, Any]) -> str:
    """One line under a table."""
    peers = [
        f"{kind} ({', '.join(f'{name} {number}' for name, number in versions.items())})"
        for kind, versions in found.get("peers", {}).items()
    ]
    libraries = [f"{name} {number}" for name, number in found["versions"].items()]
    return (
        f"{found['cores']} cores of {found['cpu']}, {found['memory_gib']} GiB, load before "
        f"{found['load_before']:.1f}; Python {found['python']}, {', '.join([*libraries, *peers])}; "
        f"commit {found['commit']}, {found['day']}."
    )


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return next((text.strip() for name, text in fields.items() if "model name" in name), "")


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"
