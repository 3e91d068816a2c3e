"""Index folders: discover, prepare, embed what is new, commit in groups, update the copies."""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from indexer.documents.chunk import ChunkOptions
from indexer.documents.discover import DiscoverOptions
from indexer.documents.read import ReadLimits
from indexer.embedding.embedder import Embedder
from indexer.embedding.spec import ModelSpec
from indexer.pipeline.group import MAX_FILES, Group, embed_new
from indexer.pipeline.prepare import Job, Moved, Outcome, PrepareOptions, Touched
from indexer.pipeline.progress_file import ProgressFile
from indexer.pipeline.report import OnProgress, Progress, Report
from indexer.pipeline.scan import Scan, scan
from indexer.pipeline.workers import prepare_all
from indexer.storage.commit import Writer
from indexer.types import Changes, Contract, FileChange, Skipped


@dataclass(frozen=True)
class IndexOptions:
    """How to index.

    `workers` processes read and chunk beside this one when there are many files.
    """

    discover: DiscoverOptions = field(default_factory=DiscoverOptions)
    chunking: ChunkOptions = field(default_factory=ChunkOptions)
    limits: ReadLimits = field(default_factory=ReadLimits)
    workers: int = 1


def index(
    paths: Sequence[Path],
    writer: Writer,
    embedder: Embedder,
    contract: Contract,
    options: IndexOptions | None = None,
    on_progress: OnProgress | None = None,
) -> Report:
    """Make the collection mirror the files under `paths`; what lies elsewhere is left alone.

    Paths are absolute. Each group of documents commits on its own: an interrupted run keeps what
    was committed, and the next one goes on from there.

    Raises:
        ReadError: a path does not exist.
        ModelError: the model gave vectors that cannot be used.
        StoreError: the collection cannot be written.
    """
    with ProgressFile(writer.folder) as shown:

        def tell(progress: Progress) -> None:
            shown.write(progress)
            if on_progress is not None:
                on_progress(progress)

        return _index(paths, writer, embedder, contract, options or IndexOptions(), tell)


def _index(
    paths: Sequence[Path],
    writer: Writer,
    embedder: Embedder,
    contract: Contract,
    options: IndexOptions,
    on_progress: OnProgress,
) -> Report:
    started = time.monotonic()
    found = scan(paths, writer.known_files, options.discover)
    run = _Run(writer, embedder, found, started, on_progress)
    preparing = prepare_options(embedder.spec, contract, found, options)
    run.process(prepare_all(found.jobs, preparing, options.workers), found.jobs)
    if run.again:
        preparing = replace(preparing, vanished={})
        run.process(prepare_all(run.again, preparing, options.workers), run.again)
    run.remove_vanished()
    for path in paths:
        writer.add_root(os.fsencode(path))
    writer.clear_staged()
    writer.sync()
    run.report.generation = writer.generation
    run.report.seconds = time.monotonic() - started
    return run.report


def prepare_options(
    spec: ModelSpec, contract: Contract, found: Scan, options: IndexOptions
) -> PrepareOptions:
    """What the workers need for this run."""
    vanished = {
        (stamp.sha256, Path(os.fsdecode(path)).suffix.lower()): path
        for path, stamp in found.vanished.items()
    }
    return PrepareOptions(
        spec=spec,
        contract=contract,
        chunking=options.chunking,
        limits=options.limits,
        max_file_bytes=options.discover.max_file_bytes,
        vanished=vanished,
    )


class _Run:
    """The state of one run between its steps."""

    def __init__(
        self,
        writer: Writer,
        embedder: Embedder,
        found: Scan,
        started: float,
        on_progress: OnProgress,
    ) -> None:
        self._writer = writer
        self._embedder = embedder
        self._found = found
        self._started = started
        self._on_progress = on_progress
        self._group = Group()
        self._taken: set[bytes] = set()  # old paths that a moved file has claimed
        self._files_done = 0
        self._bytes_done = 0
        self._batch_started = started
        self.again: list[Job] = []  # copies of a file that moved: read once more, as new files
        self.report = Report(unchanged=found.unchanged, skipped=list(found.skipped))

    def process(self, outcomes: Iterable[Outcome], jobs: Sequence[Job]) -> None:
        """Take in each outcome, committing whenever a group is full."""
        for job, outcome in zip(jobs, outcomes, strict=True):
            self._sort_in(job, outcome)
            self._files_done += 1
            self._bytes_done += job.file.size_bytes
            if self._group.is_full(self.report.tokens_per_s):
                self._commit()
        self._commit()

    def _sort_in(self, job: Job, outcome: Outcome) -> None:
        match outcome:
            case FileChange():
                self._group.add(outcome)
                if job.known is None:
                    self.report.added += 1
                else:
                    self.report.changed += 1
            case Touched():
                self._group.touched.append(outcome.stamp)
                self.report.touched += 1
            case Moved() if outcome.old_path in self._taken:
                self.again.append(job)
            case Moved():
                self._taken.add(outcome.old_path)
                del self._found.vanished[outcome.old_path]
                self._group.moved.append((outcome.old_path, outcome.stamp))
                self.report.moved += 1
            case Skipped():
                self.report.skipped.append(outcome)
                if job.known is not None and not outcome.reason.keeps_old:
                    self._found.vanished[job.known.path] = job.known

    def _commit(self) -> None:
        """Embed and store what is gathered."""
        group, self._group = self._group, Group()
        texts = group.new_texts(self._writer)
        self._batch_started = time.monotonic()
        embedded = embed_new(
            texts, self._embedder, self._writer, self.report.tokens_per_s, self._on_batch
        )
        changes = group.changes(embedded.vectors, self._embedder.mode)
        if changes.files or changes.touched or changes.moved:
            self._writer.commit(changes)
        report = self.report
        report.documents += sum(len(change.documents) for change in group.files)
        report.chunks += group.chunks
        report.embedded += embedded.texts
        report.reused += group.chunks - embedded.texts
        self._tell()

    def _on_batch(self, _texts: int, tokens: int) -> None:
        """One forward pass is done: a slow model must not look like a hanging one."""
        now = time.monotonic()
        self.report.tokens += tokens
        self.report.model_s += now - self._batch_started
        self._batch_started = now
        self._tell()

    def remove_vanished(self) -> None:
        """Last, so that a moved text still finds its vector."""
        paths = sorted(self._found.vanished)
        for start in range(0, len(paths), MAX_FILES):
            gone = tuple(paths[start : start + MAX_FILES])
            self._writer.commit(Changes(removed=gone))
        self.report.removed = len(paths)

    def _tell(self) -> None:
        self._on_progress(
            Progress(
                files_done=self._files_done,
                files_total=len(self._found.jobs),
                chunks=self.report.chunks,
                tokens=self.report.tokens,
                tokens_per_s=self.report.tokens_per_s,
                bytes_done=self._bytes_done,
                bytes_total=self._found.total_bytes,
                elapsed_s=time.monotonic() - self._started,
            )
        )
