"""What a person sees while indexing, and the summary at the end."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.cli.index_status import certificate_line, certificate_values
from app.cli.output import duration, mebibytes, print_json, printable, say, shown_path
from indexer.pipeline.dry_run import DryRun
from indexer.pipeline.report import Progress, Report
from indexer.storage.vectors.certificate import Certificate
from indexer.types import Skipped, SkipReason

if TYPE_CHECKING:
    from indexer.embedding.spec import ModelSpec

# When stderr is a file or a pipe, plain lines: often enough to see life in a log.
PLAIN_EVERY_S = 5.0
LIVE_EVERY_S = 0.1
# Skipped files are all named with --json; for people the first of each reason, and a count.
SHOWN_PER_REASON = 50
# Expected and often numerous: counted, and named only by --json.
QUIET_REASONS = frozenset({SkipReason.IGNORED, SkipReason.EXCLUDED})


class Screen:
    """The live line on stderr."""

    def __init__(self, *, live: bool, silent: bool) -> None:
        self._live = live
        self._silent = silent
        self._last = time.monotonic()
        self._width = 0
        self._withheld = ""  # the latest state, where it came too soon after the one before

    def loading(self, spec: "ModelSpec") -> None:
        """Loading a model may take seconds: say so."""
        self._say(f"Loading {printable(spec.model)} ...")

    def note(self, text: str) -> None:
        """What takes seconds, and only the first time."""
        self._say(printable(text))

    def on_download(self, file: str, done: int, total: int) -> None:
        """Progress of a model download, in bytes."""
        share = f" of {mebibytes(total)}" if total else ""
        self._update(f"Downloading {printable(file)}: {mebibytes(done)}{share}")

    def on_written(self, size_bytes: int) -> None:
        """Progress of a prepared copy, in bytes of weights written."""
        self._update(f"Writing the prepared copy: {mebibytes(size_bytes)}")

    def on_progress(self, progress: Progress) -> None:
        """Progress of indexing."""
        speed = (
            f"{progress.tokens_per_s:,.0f} tokens/s" if progress.tokens_per_s else "no model work"
        )
        eta = f", about {duration(progress.eta_s)} left" if progress.eta_s is not None else ""
        self._update(
            f"{progress.files_done:,}/{progress.files_total:,} files, "
            f"{progress.chunks:,} chunks, {speed}{eta}"
        )

    def on_texts(self, texts: int, tokens_per_s: float) -> None:
        """Progress of `semsearch embed`."""
        self._update(f"{texts:,} texts, {tokens_per_s:,.0f} tokens/s")

    def on_build(self, stage: str, done: float) -> None:
        """Progress of building the vector index."""
        self._update(f"Building the vector index: {stage}, {done:.0%}")

    def on_bench(self, who: str, step: str) -> None:
        """Progress of `semsearch bench`."""
        self._update(f"{who}: {printable(step)}")

    def on_measured(self, what: str, step: str) -> None:
        """Progress of `semsearch eval`."""
        self._update(printable(f"{what}: {step}"))

    def clear(self) -> None:
        """Leave a clean line behind."""
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0

    def _say(self, text: str) -> None:
        if not self._silent:
            self.clear()
            say(text)

    def finish(self) -> None:
        """Show where the work ended, unless that is on the screen already."""
        self.clear()
        if self._withheld and not self._live:
            say(self._withheld)
        self._withheld = ""

    def _update(self, text: str) -> None:
        if self._silent:
            return
        now = time.monotonic()
        if now - self._last < (LIVE_EVERY_S if self._live else PLAIN_EVERY_S):
            self._withheld = text
            return
        self._last, self._withheld = now, ""
        if not self._live:
            say(text)
            return
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)


@contextmanager
def watch(as_json: bool) -> Iterator[Screen]:
    """A screen for the length of a run; quiet under --json unless a person looks on."""
    live = sys.stderr.isatty()
    screen = Screen(live=live, silent=as_json and not live)
    try:
        yield screen
    finally:
        screen.finish()


def say_interrupted() -> None:
    """What a person needs to know after Ctrl-C."""
    say("semsearch: interrupted. What was committed is safe; the same command goes on from there.")


def show_report(report: Report, collection: str, built: Certificate | None, as_json: bool) -> None:
    """The closing summary; `built` is what a new vector index was measured to find."""
    if as_json:
        index = None if built is None else certificate_values(built)
        print_json({"collection": collection, **report.to_dict(), "index_built": index})
        return
    _show_skipped(report.skipped)
    counts = [
        (report.added, "added"),
        (report.changed, "changed"),
        (report.moved, "moved"),
        (report.touched, "touched"),
        (report.removed, "removed"),
        (report.unchanged, "unchanged"),
        (len(report.skipped), "skipped"),
    ]
    files = ", ".join(f"{count:,} {word}" for count, word in counts if count) or "nothing found"
    say(f"Collection {collection}: {files}.")
    if report.chunks:
        speed = f" at {report.tokens_per_s:,.0f} tokens/s" if report.tokens else ""
        say(
            f"{report.documents:,} documents, {report.chunks:,} chunks: {report.embedded:,} "
            f"embedded ({report.tokens:,} tokens{speed}), {report.reused:,} reused."
        )
    if built is not None:
        say(f"Vector index: {certificate_line(built)}.")
    say(f"Done in {duration(report.seconds)}.")


def _show_skipped(skipped: Sequence[Skipped]) -> None:
    by_reason: dict[SkipReason, list[Skipped]] = {}
    for item in skipped:
        by_reason.setdefault(item.reason, []).append(item)
    for reason, items in by_reason.items():
        if reason in QUIET_REASONS:
            say(f"Skipped ({reason}): {len(items):,} files and folders; --json names each.")
            continue
        for item in items[:SHOWN_PER_REASON]:
            detail = f": {printable(item.detail)}" if item.detail else ""
            say(f"Skipped ({reason}) {shown_path(_path_bytes(item))}{detail}")
        if len(items) > SHOWN_PER_REASON:
            say(f"... and {len(items) - SHOWN_PER_REASON:,} more ({reason}); --json names each.")


def _path_bytes(item: Skipped) -> bytes:
    import os

    return os.fsencode(item.path)


def show_dry_run(prediction: DryRun, as_json: bool) -> None:
    """What a run would do."""
    if as_json:
        print_json(prediction.to_dict())
        return
    _show_skipped(prediction.skipped)
    say(
        f"{prediction.files:,} files to read ({mebibytes(prediction.bytes)}), "
        f"{prediction.unchanged:,} unchanged, {prediction.removed:,} to remove, "
        f"{len(prediction.skipped):,} skipped."
    )
    say(
        f"{prediction.documents:,} documents, {prediction.chunks:,} chunks, "
        f"{prediction.new_tokens:,} tokens to embed of {prediction.tokens:,}."
    )
    cost = f"Predicted on {prediction.mode}: "
    if prediction.seconds is not None and prediction.tokens_per_s is not None:
        cost += f"{duration(prediction.seconds)} ({prediction.tokens_per_s:,.0f} tokens/s), "
    if prediction.ram_bytes is not None:
        cost += f"{mebibytes(prediction.ram_bytes)} RAM, "
    say(f"{cost}{mebibytes(prediction.disk_bytes)} disk. Nothing was changed.")
