"""What an indexing run would do and cost, before any model work and without changing anything."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from indexer.embedding.planning.plan import Option
from indexer.embedding.spec import ModelSpec
from indexer.modes import Placement
from indexer.pipeline.prepare import Outcome
from indexer.pipeline.report import skipped_to_dict
from indexer.pipeline.run import IndexOptions, prepare_options
from indexer.pipeline.scan import KnownFiles, scan
from indexer.pipeline.workers import prepare_all
from indexer.types import Contract, FileChange, Skipped

# Bytes on disk per chunk beside its text (twice: catalog and lexical copy) and its vector (twice:
# catalog and FAISS copy): rows, keys and postings. Measured on tldr, see benchmarks/README.md.
OVERHEAD_PER_CHUNK = 700


@dataclass(frozen=True)
class Known:
    """What the collection already has: its files under a path, and which keys have a vector."""

    files: KnownFiles
    keys: Callable[[Iterable[bytes]], set[bytes]]

    @classmethod
    def nothing(cls) -> "Known":
        """For a collection that is not there yet."""
        return cls(files=lambda _under: {}, keys=lambda _keys: set())


@dataclass(frozen=True)
class DryRun:
    """A prediction. `new_tokens` counts texts whose vectors are not stored yet, each once."""

    files: int
    bytes: int
    unchanged: int
    removed: int
    documents: int
    chunks: int
    tokens: int
    new_tokens: int
    mode: str
    tokens_per_s: float | None  # None: another machine's, which nothing here can tell
    seconds: float | None
    ram_bytes: int | None
    disk_bytes: int
    skipped: tuple[Skipped, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values for `--json`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "skipped": [skipped_to_dict(item) for item in self.skipped]}


def predict(
    paths: Sequence[Path],
    known: Known,
    spec: ModelSpec,
    contract: Contract,
    options: IndexOptions,
    option: Option | None,
) -> DryRun:
    """Read and chunk everything that a run would, count, and multiply by the model's cost.

    Args:
        paths: files and folders.
        known: what the collection has already.
        spec: the model.
        contract: of the collection.
        options: of the run.
        option: where the model would run, with its predicted cost; None: on another machine.

    Raises:
        ReadError: a path does not exist.
    """
    found = scan(paths, known.files, options.discover)
    preparing = prepare_options(spec, contract, found, options)
    counts = _Counts(known)
    for outcome in prepare_all(found.jobs, preparing, options.workers):
        counts.add(outcome)
    vector_bytes = 2 * contract.dimension
    speed = option.prediction.speed if option else None
    return DryRun(
        files=len(found.jobs),
        bytes=found.total_bytes,
        unchanged=found.unchanged,
        removed=len(found.vanished),
        documents=counts.documents,
        chunks=counts.chunks,
        tokens=counts.tokens,
        new_tokens=counts.new_tokens,
        mode=str(option.mode) if option else str(Placement.REMOTE),
        tokens_per_s=speed.tokens_per_s if speed else None,
        seconds=counts.new_tokens / speed.tokens_per_s if speed else None,
        ram_bytes=option.prediction.ram.peak if option else None,
        disk_bytes=2 * counts.text_bytes
        + 2 * vector_bytes * counts.new_texts
        + OVERHEAD_PER_CHUNK * counts.chunks,
        skipped=(*found.skipped, *counts.skipped),
    )


class _Counts:
    """Sums over the outcomes; remembers keys, not texts."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._seen: set[bytes] = set()
        self.documents = self.chunks = self.tokens = 0
        self.new_texts = self.new_tokens = self.text_bytes = 0
        self.skipped: list[Skipped] = []

    def add(self, outcome: Outcome) -> None:
        """Count one file."""
        if isinstance(outcome, Skipped):
            self.skipped.append(outcome)
        if not isinstance(outcome, FileChange):
            return
        for document in outcome.documents:
            self.documents += 1
            self.chunks += len(document.chunks)
            fresh = set(document.keys) - self._seen
            fresh -= self._known.keys(fresh)
            for key, chunk in zip(document.keys, document.chunks, strict=True):
                self.tokens += chunk.n_tokens
                self.text_bytes += len(chunk.text.encode())
                if key in fresh:
                    fresh.discard(key)
                    self._seen.add(key)
                    self.new_texts += 1
                    self.new_tokens += chunk.n_tokens
