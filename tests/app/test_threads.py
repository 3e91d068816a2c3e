"""One setting governs every library that starts threads, seen from inside the libraries."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings
from app.threads import thread_count
from indexer.embedding.hardware.machine import Cpu

# As `semsearch serve` starts: settings first, then whatever a search or an index run needs.
LIMITS = """
import json, os, sys
from app.cli.context import Context

settings = Context().settings(placement="cpu", precision="fp32")
assert "numpy" not in sys.modules, "numpy's pool has its size from the import on"

import faiss, threadpoolctl, torch
from app.search.models import Models
from indexer.embedding.opening import open_embedder
from indexer.types import Kind

models = Models(settings)
cache = settings.prepared_folder
embedder = open_embedder(models.named("minilm"), models.wishes, None, cache)
before = len(os.listdir("/proc/self/task"))
embedder.tokenizer.encode(["a text", "and another"], Kind.DOCUMENT)
rayon = len(os.listdir("/proc/self/task")) - before
session = embedder.runtime._session._session.get_session_options()
pools = threadpoolctl.threadpool_info()
print(json.dumps({
    **{os.path.basename(pool["filepath"]): pool["num_threads"] for pool in pools},
    "faiss": faiss.omp_get_max_threads(),
    "torch": torch.get_num_threads(),
    "onnxruntime": session.intra_op_num_threads,
    "tokenizers": rayon,
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_setting_limits_every_library_that_starts_threads(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One, as MKL and OpenBLAS start no more than there are cores, however many they are told."""
    monkeypatch.setenv("SEMSEARCH_THREADS", "1")
    done = subprocess.run(
        [sys.executable, "-c", LIMITS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    limits = json.loads(done.stdout)
    assert {"faiss", "torch", "onnxruntime", "tokenizers"} < limits.keys()
    assert any("openblas" in name for name in limits), "numpy's own pool"
    assert set(limits.values()) == {1}, limits


@pytest.mark.parametrize(("quota", "expected"), [(None, 8), (2.5, 2), (0.5, 1), (64.0, 8)], ids=str)
def test_unset_it_is_the_physical_cores_within_the_quota(
    home: Path, monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    cpu = Cpu("made up", 8, 16, quota, frozenset())
    monkeypatch.setattr("app.threads.read_cpu", lambda: (cpu, []))
    assert thread_count(Settings.load()) == expected
    assert thread_count(Settings.load(flags={"threads": 5})) == 5
