"""Few that match among many: exactly the k best of them, as scoring everything finds them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.storage.filters.where import AllOf, AnyOf, Documents, Metadata, Not, Path, Tag, Where
from indexer.storage.snapshot import Snapshot
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

FILES, DOCUMENTS, DIMENSION = 100, 100, 32  # documents a file; two chunks each: 20,000
CONTRACT = Contract(
    model="test/model",
    revision="main",
    weights_sha256="ab" * 32,
    pooling=Pooling.MEAN,
    query_prompt="",
    document_prompt="",
    eos_token_id=None,
    dimension=DIMENSION,
    normalised=True,
    max_tokens=128,
    chunker="1/128",
)
FINGERPRINT = CONTRACT.fingerprint
# By the text of a chunk "file/document/part ...": what passes, told without the store.
FILTERS: dict[str, tuple[Where, int]] = {
    "1 %, a path": (Path("/f7/*"), 200),
    "1 %, a tag": (Tag("HUNDREDTH"), 200),
    "0.1 %, both and a number": (AllOf((Tag("hundredth"), Metadata("tenth", "3"))), 20),
    "0.1 %, not": (AllOf((Path("/f7/**"), Not(Metadata("tenth", "3")), Tag("tens"))), 20),
    "0.01 %, of two": (AllOf((Path("/f7/*"), Metadata("n", "42"))), 2),
    "0.01 %, ids": (Documents(frozenset({5_000})), 2),
    "all but a hundredth": (Not(Path("/f7/*")), 19_800),
    "two documents": (AnyOf((Documents(frozenset({1})), Documents(frozenset({9_999})))), 4),
}


def passes(name: str, file: int, n: int) -> bool:
    number = file * DOCUMENTS + n
    return {
        "1 %, a path": file == 7,
        "1 %, a tag": number % 100 == 11,
        "0.1 %, both and a number": number % 100 == 11 and file % 10 == 3,
        "0.1 %, not": file == 7 and n >= 90,
        "0.01 %, of two": file == 7 and n == 42,
        "0.01 %, ids": number == 4_999,
        "all but a hundredth": file != 7,
        "two documents": number in (0, 9_998),
    }[name]


def change(file: int) -> FileChange:
    documents = []
    for n in range(DOCUMENTS):
        texts = [f"{file}/{n}/{part} " + "word " * (1 + (file * n + part) % 9) for part in (0, 1)]
        chunks = tuple(
            Chunk(i, text, i * 99, i * 99 + len(text), i, i, (), "", text, 1)
            for i, text in enumerate(texts)
        )
        keys = tuple(embedding_key(FINGERPRINT, Kind.DOCUMENT, text) for text in texts)
        tags = [*(["Hundredth"] if n == 11 else []), *(["tens"] if n >= 90 else [])]
        metadata = {"tags": tags, "tenth": file % 10, "n": n}
        documents.append(PreparedDocument(str(n), "", "jsonl", metadata, chunks, keys))
    return FileChange(
        FileStamp(f"/f{file}/x.jsonl".encode(), 1, 1, bytes([file]) * 32), tuple(documents)
    )


@dataclass(frozen=True)
class Many:
    """A collection of 20,000 chunks, and what it holds as we know it."""

    now: Snapshot
    texts: dict[int, str]  # by chunk id
    vectors: dict[str, npt.NDArray[np.float32]]  # by text


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    folder = tmp_path_factory.mktemp("many")
    files = tuple(change(file) for file in range(FILES))
    documents = [document for file in files for document in file.documents]
    texts = [chunk.text for document in documents for chunk in document.chunks]
    keys = [key for document in documents for key in document.keys]
    vectors = np.random.default_rng(0).standard_normal((len(keys), DIMENSION), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with Writer.open(folder, CONTRACT) as writer:
        writer.commit(Changes(files=files, vectors=dict(zip(keys, vectors, strict=True))))
        writer.sync()
    stored = vectors.astype(np.float16).astype(np.float32)
    with Collection.open(folder) as reader, reader.snapshot() as now:
        chunks = now.chunks(range(1, len(texts) + 1))
        found = {chunk.id: chunk.text for chunk in chunks.values()}
        yield Many(now, found, dict(zip(texts, stored, strict=True)))


def place(text: str) -> tuple[int, int]:
    file, n, _ = text.split(" ")[0].split("/")
    return int(file), int(n)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("k", [1, 10, 250])
def test_dense_search_finds_the_best_of_what_passes(many: Many, name: str, k: int) -> None:
    where, count = FILTERS[name]
    allowed = [i for i, text in many.texts.items() if passes(name, *place(text))]
    assert len(allowed) == count
    query = np.random.default_rng(k).standard_normal(DIMENSION, np.float32)
    query /= np.linalg.norm(query)
    scores = np.stack([many.vectors[many.texts[i]] for i in allowed]) @ query
    expected = np.argsort(-scores)[:k]
    hits = many.now.dense(query, k, where)
    assert [hit.chunk_id for hit in hits] == [allowed[i] for i in expected]
    assert [hit.score for hit in hits] == pytest.approx(scores[expected].tolist(), abs=1e-5)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("k", [1, 10, 250])
def test_lexical_search_finds_the_best_of_what_passes(many: Many, name: str, k: int) -> None:
    where, count = FILTERS[name]
    ranked = many.now.lexical("word", 20_000)
    assert len(ranked) == 20_000
    expected = [hit for hit in ranked if passes(name, *place(many.texts[hit.chunk_id]))][:k]
    hits = many.now.lexical("word", k, where)
    assert len(hits) == min(k, count)
    assert [hit.chunk_id for hit in hits] == [hit.chunk_id for hit in expected]
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected])
