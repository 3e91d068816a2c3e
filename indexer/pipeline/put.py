"""Store, replace and forget uploaded documents: one transaction for all of a request, or none.

What takes time (parsing, chunking, the model) needs no lock and is done before: `Putter.prepare`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from indexer.documents.chunk import ChunkOptions
from indexer.documents.encoding import clean
from indexer.documents.read import Reader, ReadLimits
from indexer.embedding.embedder import Embedder
from indexer.errors import NotFoundError, ReadError, UsageError
from indexer.paths import upload_path
from indexer.pipeline.group import Group
from indexer.pipeline.prepare import prepare_document
from indexer.pipeline.upload import Upload
from indexer.storage.commit import Writer
from indexer.types import (
    Changes,
    Chunk,
    Contract,
    FileChange,
    FileStamp,
    Kind,
    Skipped,
    Vector,
)


class PutStatus(StrEnum):
    """What became of an uploaded document."""

    ADDED = "added"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Put:
    """An uploaded document, stored."""

    id: str
    document_id: int
    status: PutStatus
    chunks: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """Documents ready to be stored: {path: change}, and {key: vector} of their new texts."""

    files: Mapping[bytes, FileChange] = field(default_factory=dict)
    vectors: Mapping[bytes, Vector] = field(default_factory=dict)


class Putter:
    """Stores uploads in a collection of this contract. Safe to use from several threads."""

    def __init__(
        self, embedder: Embedder, contract: Contract, chunking: ChunkOptions, limits: ReadLimits
    ) -> None:
        self._embedder = embedder
        self._fingerprint = contract.fingerprint
        self._chunking = chunking
        self._limits = limits

    def prepare(
        self,
        uploads: Sequence[Upload],
        stamps: Callable[[Iterable[bytes]], dict[bytes, FileStamp]],
        known_keys: Callable[[Iterable[bytes]], set[bytes]],
    ) -> Prepared:
        """Read and chunk what is new or changed, and embed the texts that have no vector yet.

        Args:
            uploads: at least one.
            stamps: what is stored of these paths.
            known_keys: which of these keys have a stored vector.

        Raises:
            UsageError: a value out of bounds, or one id twice.
            ReadError: a text that cannot be parsed, or holds no words.
            ModelError: the model gave vectors that cannot be used.
        """
        check_uploads(uploads)
        before = stamps([upload.path for upload in uploads])
        with Reader(self._limits) as reader:
            files = {
                upload.path: self._read(upload, reader)
                for upload in uploads
                if _is_news(upload, before)
            }
        texts = _texts(files.values())
        for key in known_keys(list(texts)):
            del texts[key]
        return Prepared(files, self._embed(texts))

    def store(self, uploads: Sequence[Upload], prepared: Prepared, writer: Writer) -> list[Put]:
        """Make them durable and findable, all or none.

        What another writer changed since `prepared` was made is prepared again.

        Raises:
            UsageError, ReadError, ModelError: see `prepare`.
            StoreError: the collection cannot be written; nothing was stored.
        """
        before = writer.stamps([upload.path for upload in uploads])
        news = [upload for upload in uploads if _is_news(upload, before)]
        missing = [upload for upload in news if upload.path not in prepared.files]
        more = Prepared()
        if missing:
            more = self.prepare(missing, writer.stamps, writer.known_keys)
        files = {**prepared.files, **more.files}
        group = Group()
        for upload in news:
            group.add(files[upload.path])
        vectors = {**prepared.vectors, **more.vectors}
        texts = group.new_texts(writer)
        lacking = {key: chunk for key, chunk in texts.items() if key not in vectors}
        vectors.update(self._embed(lacking))
        if news:
            writer.commit(group.changes(vectors, self._embedder.mode))
        writer.sync()  # also of what a killed request left behind
        return _outcomes(uploads, before, {upload.path for upload in news}, writer)

    def _read(self, upload: Upload, reader: Reader) -> FileChange:
        parsed = reader.read(Path(upload.format), upload.data, upload.format)
        if isinstance(parsed, Skipped):
            raise ReadError(
                f"document {upload.id!r} as {upload.format}: {parsed.reason}: {parsed.detail}"
            )
        (document,) = parsed
        title = " ".join(clean(upload.title).split())
        whole = replace(
            document,
            title=title or document.title,
            metadata={**document.metadata, **upload.metadata},
        )
        prepared = prepare_document(
            whole, self._embedder.tokenizer, self._chunking, self._fingerprint
        )
        if not prepared.chunks:
            raise ReadError(f"document {upload.id!r}: there is no text in it.")
        return FileChange(upload.stamp, (prepared,))

    def _embed(self, texts: Mapping[bytes, Chunk]) -> dict[bytes, Vector]:
        if not texts:
            return {}
        bare = [chunk.embedded_text for chunk in texts.values()]
        return dict(zip(texts, self._embedder.embed(bare, Kind.DOCUMENT), strict=True))


def forget(ids: Sequence[str], writer: Writer) -> list[int]:
    """Remove uploaded documents, all or none; their document ids in the order of `ids`.

    Raises:
        UsageError: an id that cannot be one.
        NotFoundError: there is no such document.
    """
    paths = [upload_path(one) for one in ids]
    stored = writer.documents_at(paths)
    for one, path in zip(ids, paths, strict=True):
        if path not in stored:
            raise NotFoundError(
                f"No uploaded document has the id {one!r} in this collection. Nothing was deleted."
            )
    writer.commit(Changes(removed=tuple(paths)))
    writer.sync()
    return [stored[path].id for path in paths]


def check_uploads(uploads: Sequence[Upload]) -> None:
    """Return if all can be stored together.

    Raises:
        UsageError: a value out of bounds, or one id twice.
    """
    seen: set[str] = set()
    for upload in uploads:
        upload.check()
        if upload.id in seen:
            raise UsageError(f"document {upload.id[:80]!r}: its id is there twice. Send it once.")
        seen.add(upload.id)


def _is_news(upload: Upload, before: Mapping[bytes, FileStamp]) -> bool:
    stored = before.get(upload.path)
    return stored is None or stored.sha256 != upload.stamp.sha256


def _texts(files: Iterable[FileChange]) -> dict[bytes, Chunk]:
    """{key: chunk} of all that a model would have to read, each text once."""
    texts: dict[bytes, Chunk] = {}
    for change in files:
        for document in change.documents:
            texts.update(zip(document.keys, document.chunks, strict=True))
    return texts


def _outcomes(
    uploads: Sequence[Upload],
    before: Mapping[bytes, FileStamp],
    news: set[bytes],
    writer: Writer,
) -> list[Put]:
    stored = writer.documents_at([upload.path for upload in uploads])
    outcomes = []
    for upload in uploads:
        status = PutStatus.REPLACED if upload.path in before else PutStatus.ADDED
        if upload.path not in news:
            status = PutStatus.UNCHANGED
        document = stored[upload.path]
        outcomes.append(Put(upload.id, document.id, status, document.chunks))
    return outcomes
