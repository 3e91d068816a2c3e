"""A small world of files with texts, vectors and the collection that holds them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.types import (
    Changes,
    Chunk,
    Contract,
    FileChange,
    FileStamp,
    Kind,
    Pooling,
    PreparedDocument,
    embedding_key,
)

DIMENSION = 16


def make_contract(**changes: object) -> Contract:
    values: dict[str, object] = {
        "model": "test/model",
        "revision": "main",
        "weights_sha256": "ab" * 32,
        "pooling": Pooling.MEAN,
        "query_prompt": "query: ",
        "document_prompt": "",
        "eos_token_id": None,
        "dimension": DIMENSION,
        "normalised": True,
        "max_tokens": 128,
        "chunker": "1/128",
    }
    return Contract(**{**values, **changes})  # type: ignore[arg-type]


CONTRACT = make_contract()


def vector_of(text: str, dimension: int = DIMENSION) -> npt.NDArray[np.float32]:
    """A unit vector that depends on the text alone."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    values = np.random.default_rng(seed).standard_normal(dimension)
    return (values / np.linalg.norm(values)).astype(np.float32)


def key_of(text: str) -> bytes:
    return embedding_key(CONTRACT.fingerprint, Kind.DOCUMENT, text)


def make_chunks(texts: tuple[str, ...]) -> tuple[Chunk, ...]:
    """Chunks that follow one another without a gap."""
    chunks, start = [], 0
    for ordinal, text in enumerate(texts):
        line = ordinal + 1
        end = start + len(text)
        chunks.append(Chunk(ordinal, text, start, end, line, line, ("Part",), "", text, 9))
        start = end
    return tuple(chunks)


def make_document(*texts: str, member: str = "", title: str = "") -> PreparedDocument:
    keys = tuple(key_of(text) for text in texts)
    return PreparedDocument(member, title, "text", {"n": len(texts)}, make_chunks(texts), keys)


def stamp(path: str, salt: object = 0) -> FileStamp:
    return FileStamp(path.encode(), 10, 1, hashlib.sha256(f"{path}{salt}".encode()).digest())


def make_file(path: str, *texts: str, title: str = "") -> FileChange:
    return FileChange(stamp(path, texts), (make_document(*texts, title=title),))


def vectors_for(*files: FileChange) -> dict[bytes, npt.NDArray[np.float32]]:
    return {
        key: vector_of(chunk.embedded_text)
        for file in files
        for document in file.documents
        for chunk, key in zip(document.chunks, document.keys, strict=True)
    }


def adding(*files: FileChange) -> Changes:
    return Changes(files=files, vectors=vectors_for(*files))


@dataclass
class World:
    """A collection folder with shortcuts."""

    folder: Path
    contract: Contract = field(default_factory=make_contract)

    make_contract = staticmethod(make_contract)
    vector_of = staticmethod(vector_of)
    key_of = staticmethod(key_of)
    chunks = staticmethod(make_chunks)
    document = staticmethod(make_document)
    stamp = staticmethod(stamp)
    file = staticmethod(make_file)
    vectors_for = staticmethod(vectors_for)
    adding = staticmethod(adding)

    def writer(self) -> Writer:
        return Writer.open(self.folder, self.contract)

    def reader(self) -> Collection:
        return Collection.open(self.folder)

    def commit(self, changes: Changes, *, sync: bool = True) -> int:
        with self.writer() as writer:
            generation = writer.commit(changes)
            if sync:
                writer.sync()
        return generation

    def add(self, *files: FileChange, sync: bool = True) -> int:
        return self.commit(adding(*files), sync=sync)

    def nearest(self, text: str, k: int = 1) -> list[str]:
        """Texts of the chunks nearest to this text's own vector."""
        with self.reader() as reader, reader.snapshot() as now:
            hits = now.dense(vector_of(text), k)
            chunks = now.chunks([hit.chunk_id for hit in hits])
        return [chunks[hit.chunk_id].text for hit in hits]

    def lexical(self, query: str, k: int = 10) -> list[str]:
        """Texts of the chunks found by words."""
        with self.reader() as reader, reader.snapshot() as now:
            hits = now.lexical(query, k)
            chunks = now.chunks([hit.chunk_id for hit in hits])
        return [chunks[hit.chunk_id].text for hit in hits]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "collection")


@pytest.fixture
def make_world(tmp_path: Path) -> Callable[[str], World]:
    return lambda name: World(tmp_path / name)


@pytest.fixture(scope="session")
def world_at() -> Callable[[Path], World]:
    """For worlds that the tests of a module share."""
    return World
