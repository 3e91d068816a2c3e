"""Files of a made collection: ten chunks each, real texts in turn, facts for every selectivity."""

import argparse
import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from app.search.models import Models
from app.settings import Settings
from indexer.modes import Mode
from indexer.storage.commit import Writer
from indexer.types import (
    Changes,
    Chunk,
    Contract,
    FileChange,
    FileStamp,
    Pooling,
    PreparedDocument,
)

CHUNKS_PER_FILE = 10
FILES_PER_COMMIT = 200
SHARES = {"50 %": 2, "10 %": 10, "1 %": 100, "0.1 %": 1_000, "0.01 %": 10_000}


def base_of(given: argparse.Namespace) -> Any:
    """Vectors of `vectors.py`: float16, shape (n, dimension), mapped."""
    base = np.memmap(given.vectors / f"base-{given.n}-{given.dimension}.f16", "<f2", "r")
    return base.reshape(-1, given.dimension)


def plain_contract(dimension: int) -> Contract:
    """Of no model."""
    return Contract(
        model="benchmark",
        revision="",
        weights_sha256="00" * 32,
        pooling=Pooling.MEAN,
        query_prompt="",
        document_prompt="",
        eos_token_id=None,
        dimension=dimension,
        normalised=True,
        max_tokens=512,
        chunker="1/512",
    )


def contract_of(given: argparse.Namespace) -> Contract:
    """Of no model; or of the one that is named, so that a service answers queries with it."""
    if given.model is None:
        return plain_contract(given.dimension)
    home = given.folder.absolute().parents[1]
    models = Models(Settings.load(flags={"home": home}))
    spec = models.named(given.model)
    models.remember(spec.weights_sha256, given.model)
    return spec.contract(f"1/{spec.max_tokens}", given.dimension)


def texts_of(catalog: Path) -> list[str]:
    with sqlite3.connect(f"file:{catalog}?mode=ro", uri=True) as connection:
        return [row[0] for row in connection.execute("SELECT text FROM chunks ORDER BY id")]


def file_of(
    number: int, texts: list[str], vectors: Any, first: int
) -> tuple[FileChange, dict[bytes, Any]]:
    chunks, keys, stored = [], [], {}
    for i, vector in enumerate(vectors):
        text = texts[(first + i) % len(texts)]
        chunks.append(Chunk(i, text, i, i + 1, i + 1, i + 1, (), "", text, 100))
        keys.append(hashlib.sha256(f"{first + i}".encode()).digest())
        stored[keys[-1]] = vector
    facts = {f"of_{parts}": number % parts for parts in SHARES.values()}
    document = PreparedDocument("", f"{number}", "markdown", facts, tuple(chunks), tuple(keys))
    path = f"/docs/{number % 100}/{number}.md".encode()
    stamp = FileStamp(path, 1_000, number, hashlib.sha256(path).digest())
    return FileChange(stamp, (document,)), stored


def commit_rows(writer: Writer, base: Any, texts: list[str], mode: Mode | None = None) -> None:
    """All rows in order, one chunk each."""
    step = FILES_PER_COMMIT * CHUNKS_PER_FILE
    for start in range(0, len(base), step):
        files, vectors = [], {}
        for first in range(start, min(start + step, len(base)), CHUNKS_PER_FILE):
            block = base[first : first + CHUNKS_PER_FILE].astype(np.float32)
            file, stored = file_of(first // CHUNKS_PER_FILE, texts, block, first)
            files.append(file)
            vectors.update(stored)
        writer.commit(Changes(files=tuple(files), vectors=vectors, mode=mode))
