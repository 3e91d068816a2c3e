"""Collections with planted vectors: every score is known before the search."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
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
    Vectors,
    embedding_key,
)

DIMENSION = 16
Planted = Mapping[str, Sequence[tuple[str, float]]]  # {path: (text of a chunk, its cosine)}
Plant = Callable[..., Collection]


def make_contract(model: str = "test/model") -> Contract:
    return Contract(
        model=model,
        revision=None,
        weights_sha256=hashlib.sha256(model.encode()).hexdigest(),
        pooling=Pooling.MEAN,
        query_prompt="",
        document_prompt="",
        eos_token_id=None,
        dimension=DIMENSION,
        normalised=True,
        max_tokens=128,
        chunker="1/128",
    )


def axis(number: int) -> Vectors:
    return np.eye(DIMENSION, dtype=np.float32)[number]


class AxisEmbedder:
    """Embeds every query as one axis; remembers the queries."""

    mode = "cpu:fp32"

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.seen: list[tuple[str, Kind, str | None]] = []

    def embed(self, texts: Sequence[str], kind: Kind, instruction: str | None = None) -> Vectors:
        self.seen += [(text, kind, instruction) for text in texts]
        return np.stack([axis(self.number) for _ in texts])


def planted_vector(cosine: float, number: int, asked: int) -> Vectors:
    """A unit vector with this cosine to the asked axis."""
    other = [n for n in range(DIMENSION) if n != asked][number % (DIMENSION - 1)]
    return (cosine * axis(asked) + np.sqrt(1 - cosine**2) * axis(other)).astype(np.float32)


def changes_for(
    contract: Contract, planted: Planted, asked: int = 0, same: Sequence[str] = ()
) -> Changes:
    """`same`: paths whose files have one content between them."""
    files, vectors = [], {}
    for path, chunks in planted.items():
        cut, start = [], 0
        for ordinal, (text, cosine) in enumerate(chunks):
            line = ordinal + 1
            end = start + len(text)
            cut.append(Chunk(ordinal, text, start, end, line, line, ("Part",), "", text, 9))
            start = end
            key = embedding_key(contract.fingerprint, Kind.DOCUMENT, text)
            vectors[key] = planted_vector(cosine, ordinal, asked)
        keys = tuple(embedding_key(contract.fingerprint, Kind.DOCUMENT, c.text) for c in cut)
        document = PreparedDocument("", "A title", "text", {}, tuple(cut), keys)
        content = chunks if path in same else (path, chunks)
        digest = hashlib.sha256(repr(content).encode()).digest()
        files.append(FileChange(FileStamp(os.fsencode(path), 1, 1, digest), (document,)))
    return Changes(files=tuple(files), vectors=vectors)


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """Make a collection in a folder of this name and open it."""
    opened: list[Collection] = []

    def make(
        name: str,
        planted: Planted,
        contract: Contract | None = None,
        *,
        asked: int = 0,
        reembed: bool = False,
        same: Sequence[str] = (),
    ) -> Collection:
        contract = contract or make_contract()
        with Writer.open(tmp_path / name, contract, reembed=reembed) as writer:
            writer.commit(changes_for(contract, planted, asked, same))
            writer.sync()
        opened.append(Collection.open(tmp_path / name))
        return opened[-1]

    yield make
    for collection in opened:
        collection.close()


@pytest.fixture
def axis_embedder() -> type[AxisEmbedder]:
    return AxisEmbedder


@pytest.fixture
def contract() -> Contract:
    return make_contract()


@pytest.fixture
def other_contract() -> Contract:
    return make_contract("test/other")
