"""One file from disk to chunks with embedding keys: all that comes before the model."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from indexer.documents.chunk import ChunkOptions, chunk_document
from indexer.documents.read import Reader, ReadLimits, load
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.errors import ReadError
from indexer.types import (
    Contract,
    FileChange,
    FileStamp,
    FoundFile,
    Kind,
    ParsedDocument,
    PreparedDocument,
    Skipped,
    SkipReason,
    TokenCounter,
    embedding_key,
)


@dataclass(frozen=True, slots=True)
class Job:
    """A file to look into, with what the collection remembers of it."""

    file: FoundFile
    known: FileStamp | None


@dataclass(frozen=True, slots=True)
class Touched:
    """The content is the known one; only the size/mtime record is stale."""

    stamp: FileStamp


@dataclass(frozen=True, slots=True)
class Moved:
    """The content of a file that vanished elsewhere in the same run."""

    old_path: bytes
    stamp: FileStamp


Outcome = FileChange | Touched | Moved | Skipped


@dataclass(frozen=True)
class PrepareOptions:
    """What a worker process needs to make chunks. Picklable.

    `vanished` maps (sha256, suffix) of each known file that is gone to its path: a new file with
    that content and suffix is the same file under another name.
    """

    spec: ModelSpec
    contract: Contract
    chunking: ChunkOptions
    limits: ReadLimits
    max_file_bytes: int
    vanished: dict[tuple[bytes, str], bytes]


class Preparer:
    """Turns jobs into outcomes; holds the tokenizer and the parser's child process."""

    def __init__(self, options: PrepareOptions) -> None:
        self._options = options
        self._fingerprint = options.contract.fingerprint
        # One thread: worker processes run beside each other, one per core.
        self._tokenizer = load_tokenizer(options.spec, in_parallel=False)
        self._reader = Reader(options.limits)

    def __enter__(self) -> Self:
        self._reader.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._reader.__exit__(None, None, None)

    def prepare(self, job: Job) -> Outcome:
        """Read, compare, parse and chunk one file. Never raises for what a file may hold."""
        path = job.file.path
        try:
            data = load(path, self._options.max_file_bytes)
        except ReadError as error:
            return Skipped(path, SkipReason.UNREADABLE, str(error))
        stamp = FileStamp(
            path=os.fsencode(path),
            size_bytes=len(data),
            mtime_ns=job.file.mtime_ns,
            sha256=hashlib.sha256(data).digest(),
        )
        if job.known is not None and job.known.sha256 == stamp.sha256:
            return Touched(stamp)
        if job.known is None:
            origin = self._options.vanished.get((stamp.sha256, path.suffix.lower()))
            if origin is not None:
                return Moved(origin, stamp)
        parsed = self._reader.read(path, data)
        if isinstance(parsed, Skipped):
            return parsed
        return self._change(stamp, parsed, path_of=job.file)

    def _change(
        self, stamp: FileStamp, parsed: Sequence[ParsedDocument], path_of: FoundFile
    ) -> FileChange | Skipped:
        every = (
            prepare_document(each, self._tokenizer, self._options.chunking, self._fingerprint)
            for each in parsed
        )
        documents = tuple(document for document in every if document.chunks)
        if not documents:
            return Skipped(path_of.path, SkipReason.EMPTY, "there is no text in it")
        return FileChange(stamp, documents)


def prepare_document(
    document: ParsedDocument, counter: TokenCounter, chunking: ChunkOptions, fingerprint: str
) -> PreparedDocument:
    """The document's chunks, and the keys of their vectors under the contract of `fingerprint`."""
    chunks = tuple(chunk_document(document, counter, chunking))
    return PreparedDocument(
        member=document.member,
        title=document.title,
        format=document.format,
        metadata=document.metadata,
        chunks=chunks,
        keys=tuple(
            embedding_key(fingerprint, Kind.DOCUMENT, chunk.embedded_text) for chunk in chunks
        ),
    )
