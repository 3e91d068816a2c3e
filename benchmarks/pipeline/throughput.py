"""How fast files become a committed collection when the model costs nothing.

    python benchmarks/pipeline/throughput.py FOLDER [--workers 1] [--model minilm]

A null runtime gives random unit vectors, so discovery, reading, chunking, tokenising, the catalog
(with vectors) and both copies are what is timed. Then a second run over the unchanged folder.
Peak memory is the resident set of this process and of its largest child, as the kernel counted it.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from indexer.documents.chunk import CHUNKER_VERSION
from indexer.embedding.embedder import Embedder
from indexer.embedding.models import resolve
from indexer.embedding.runtimes.base import Runtime, TokenBatch
from indexer.embedding.spec import load_spec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.pipeline.run import IndexOptions, index
from indexer.storage.commit import Writer
from indexer.types import Placement, Precision, Vectors


class NullRuntime(Runtime):
    """No model: random vectors at the speed of the generator."""

    placement = Placement.CPU
    precision = Precision.FP32

    def __init__(self, hidden_size: int) -> None:
        self.hidden_size = hidden_size
        self.max_batch_tokens = 1 << 20
        self._draw = np.random.default_rng(0)

    def forward(self, batch: TokenBatch) -> Vectors:
        return self._draw.standard_normal((len(batch), self.hidden_size), dtype=np.float32)


def main() -> None:
    """Run twice and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--keep", type=Path, help="Folder for the collection; default: temporary")
    args = parser.parse_args()
    ref = resolve(args.model)
    assert ref.folder is not None, "a local or bundled model: only its tokenizer is used"
    spec = load_spec(ref.folder, ref)
    contract = spec.contract(f"{CHUNKER_VERSION}/{min(512, spec.max_tokens)}")
    embedder = Embedder(spec, load_tokenizer(spec), NullRuntime(spec.hidden_size))
    base_mib = peak_mib(resource.RUSAGE_SELF)
    with tempfile.TemporaryDirectory() as temporary:
        target = args.keep or Path(temporary) / "collection"
        for name in ("first", "unchanged"):
            started = time.perf_counter()
            with Writer.open(target, contract) as writer:
                report = index(
                    [args.folder.absolute()],
                    writer,
                    embedder,
                    contract,
                    IndexOptions(workers=args.workers),
                )
            seconds = time.perf_counter() - started
            files = report.added + report.unchanged
            result = {
                "run": name,
                "files": files,
                "skipped": len(report.skipped),
                "chunks": report.chunks,
                "seconds": round(seconds, 2),
                "files_per_s": round(files / seconds),
                "start_mib": base_mib,
                "peak_mib": peak_mib(resource.RUSAGE_SELF),
                "peak_child_mib": peak_mib(resource.RUSAGE_CHILDREN),
            }
            print(json.dumps(result))
        size = sum(p.stat().st_size for p in target.rglob("*") if p.is_file())
        print(json.dumps({"disk_mib": size >> 20}))


def peak_mib(who: int) -> int:
    """Peak resident set so far, in MiB (ru_maxrss is in KiB on Linux, in bytes on macOS)."""
    import sys

    return resource.getrusage(who).ru_maxrss >> (20 if sys.platform == "darwin" else 10)


if __name__ == "__main__":
    main()
