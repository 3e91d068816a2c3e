"""Index texts as they are, one vector each, as benchmarks do: chunking is measured against it."""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from indexer.documents.encoding import clean
from indexer.embedding.embedder import Embedder
from indexer.pipeline.group import Group, embed_new
from indexer.pipeline.report import Report
from indexer.storage.commit import Writer
from indexer.types import (
    Changes,
    Chunk,
    Contract,
    FileChange,
    FileStamp,
    Kind,
    PreparedDocument,
    embedding_key,
)

CHUNKER = "whole/1"
_TOKENISED = 256  # texts at a time

Text = tuple[str, str]  # (name, the text)
OnStep = Callable[[Report], None]


def index_whole(
    texts: Iterable[Text],
    source: Path,
    writer: Writer,
    embedder: Embedder,
    contract: Contract,
    on_step: OnStep | None = None,
) -> Report:
    """Make the collection hold just these texts, each a document of one chunk.

    What the model does not read of a long one is in the chunk and found by words alone. Each group
    commits on its own, so an interrupted run goes on where it was.

    Args:
        texts: names are unique; one without any text is left out.
        source: the file they come from, for the documents' paths.
        writer: of a collection that holds nothing else.
        embedder: the model.
        contract: the collection's, whose chunker is `CHUNKER`.
        on_step: hears after each forward pass what was done so far.

    Raises:
        ModelError: the model gave vectors that cannot be used.
        StoreError: the collection cannot be written.
    """
    run = _Run(writer, embedder, on_step)
    known = writer.known_files()
    for change in _changes(texts, source, embedder, contract):
        before = known.pop(change.stamp.path, None)
        if before is None or before.sha256 != change.stamp.sha256:
            run.add(change)
        else:
            run.report.unchanged += 1
    run.commit()
    if known:
        writer.commit(Changes(removed=tuple(known)))
        run.report.removed = len(known)
    writer.clear_staged()
    writer.sync()
    run.report.generation = writer.generation
    run.report.seconds = time.monotonic() - run.started
    return run.report


def _changes(
    texts: Iterable[Text], source: Path, embedder: Embedder, contract: Contract
) -> Iterator[FileChange]:
    cleaned = ((name, clean(text)) for name, text in texts)
    named = ((name, text) for name, text in cleaned if text.strip())
    fingerprint, beside = contract.fingerprint, os.fsencode(source.absolute()) + b"#"
    while some := list(islice(named, _TOKENISED)):
        counts = embedder.tokenizer.count([text for _, text in some])
        for (name, text), n_tokens in zip(some, counts, strict=True):
            lines = text.count("\n") + 1
            chunk = Chunk(0, text, 0, len(text), 1, lines, (), "", text, n_tokens)
            key = embedding_key(fingerprint, Kind.DOCUMENT, text)
            data = text.encode()
            stamp = FileStamp(beside + name.encode(), len(data), 0, hashlib.sha256(data).digest())
            document = PreparedDocument(name, "", "text", {}, (chunk,), (key,))
            yield FileChange(stamp, (document,))


class _Run:
    """What is gathered for the next transaction, and what was done so far."""

    def __init__(self, writer: Writer, embedder: Embedder, on_step: OnStep | None) -> None:
        self._writer, self._embedder, self._on_step = writer, embedder, on_step
        self._group = Group()
        self._batch_started = 0.0
        self.started = time.monotonic()
        self.report = Report()

    def add(self, change: FileChange) -> None:
        """Take it in; commit once there is enough."""
        self._group.add(change)
        self.report.added += 1
        if self._group.is_full(self.report.tokens_per_s):
            self.commit()

    def commit(self) -> None:
        """Embed and store what is gathered."""
        group, self._group = self._group, Group()
        if not group.files:
            return
        self._batch_started = time.monotonic()
        embedded = embed_new(
            group.new_texts(self._writer),
            self._embedder,
            self._writer,
            self.report.tokens_per_s,
            self._on_batch,
        )
        self._writer.commit(group.changes(embedded.vectors, self._embedder.mode))
        self.report.documents += len(group.files)
        self.report.chunks += group.chunks
        self.report.embedded += embedded.texts
        self.report.reused += group.chunks - embedded.texts

    def _on_batch(self, _texts: int, tokens: int) -> None:
        now = time.monotonic()
        self.report.tokens += tokens
        self.report.model_s += now - self._batch_started
        self._batch_started = now
        if self._on_step is not None:
            self._on_step(self.report)
