"""How fast files become a committed collection when the model costs nothing.

    python benchmarks/pipeline/throughput.py FOLDER [--workers 2] [--model minilm]

A null runtime gives random unit vectors, so discovery, reading, chunking, tokenising, the catalog
(with vectors) and both copies are what is timed. Then a second run over the unchanged folder.
Peak memory is the resident set of this process and of its largest child, as the kernel counted it.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indexer.embedding.embedder import Embedder


def null_embedder(model: str) -> "Embedder":
    """An embedder whose vectors are random, at the speed of the generator."""
    # Imported here: worker processes import this script anew and must stay as small as the CLI's.
    import numpy as np

    from indexer.embedding.local import LocalEmbedder
    from indexer.embedding.models import resolve
    from indexer.embedding.runtimes.base import Runtime, TokenBatch
    from indexer.embedding.spec import load_spec
    from indexer.embedding.tokenizer import load_tokenizer
    from indexer.modes import Placement, Precision
    from indexer.types import Vectors

    class NullRuntime(Runtime):
        placement = Placement.CPU
        precision = Precision.FP32

        def __init__(self, hidden_size: int) -> None:
            self.hidden_size = hidden_size
            self.max_batch_tokens = 1 << 20
            self._draw = np.random.default_rng(0)

        def forward(self, batch: TokenBatch) -> Vectors:
            return self._draw.standard_normal((len(batch), self.hidden_size), dtype=np.float32)

    ref = resolve(model)
    assert ref.folder is not None, "a local or bundled model: only its tokenizer is used"
    spec = load_spec(ref.folder, ref)
    return LocalEmbedder(spec, load_tokenizer(spec), NullRuntime(spec.hidden_size))


def run_once(folder: Path, target: Path, embedder: "Embedder", workers: int) -> dict[str, Any]:
    """Index the folder into the collection at `target`; what it took."""
    from indexer.documents.chunk import CHUNKER_VERSION
    from indexer.documents.discover import resolve_root
    from indexer.pipeline.run import IndexOptions, index
    from indexer.storage.commit import Writer

    started = time.perf_counter()
    contract = embedder.contract(f"{CHUNKER_VERSION}/{min(512, embedder.spec.max_tokens)}")
    with Writer.open(target, contract) as writer:
        options = IndexOptions(workers=workers)
        report = index([resolve_root(folder)], writer, embedder, contract, options)
    seconds = time.perf_counter() - started
    files = report.added + report.unchanged
    return {
        "files": files,
        "skipped": len(report.skipped),
        "chunks": report.chunks,
        "seconds": round(seconds, 2),
        "files_per_s": round(files / seconds),
        "peak_mib": peak_mib(resource.RUSAGE_SELF),
        "peak_child_mib": peak_mib(resource.RUSAGE_CHILDREN),
    }


class TreeMemory(threading.Thread):
    """Samples the memory of this process and all below it as proportional set sizes (Linux).

    Resident sets would count the pages that the processes share once for each of them.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_kib = 0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.2):
            self.peak_kib = max(self.peak_kib, sum(map(pss_kib, tree(os.getpid()))))


def tree(pid: int) -> list[int]:
    """This process and all below it; empty where there is no /proc."""
    try:
        lists = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        lists = []
    below = [int(child) for listed in lists for child in listed.split()]
    return [pid, *(each for child in below for each in tree(child))]


def pss_kib(pid: int) -> int:
    """Proportional set size; 0 for a process that has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def peak_mib(who: int) -> int:
    """Peak resident set so far, in MiB (ru_maxrss is in KiB on Linux, in bytes on macOS)."""
    return resource.getrusage(who).ru_maxrss >> (20 if sys.platform == "darwin" else 10)


def main() -> None:
    """Run twice, print one JSON object each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", default="minilm")
    args = parser.parse_args()
    embedder = null_embedder(args.model)
    memory = TreeMemory()
    memory.start()
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary) / "collection"
        for name in ("first", "unchanged"):
            result = run_once(args.folder, target, embedder, args.workers)
            print(json.dumps({"run": name, "workers": args.workers, **result}))
        size = sum(p.stat().st_size for p in target.rglob("*") if p.is_file())
        memory.done.set()
        print(json.dumps({"disk_mib": size >> 20, "tree_peak_pss_mib": memory.peak_kib >> 10}))


if __name__ == "__main__":
    main()
