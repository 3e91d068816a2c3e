"""Catalog page size and `synchronous`: rows written, file size, random reads, scans.

    python benchmarks/store/page_size.py [FOLDER]

Real writer, real schema: files of one 600-character chunk with a float16 vector of 1,024 numbers,
500 per commit. FOLDER must lie on the disk to be measured.
"""

import hashlib
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, select, text

from indexer.storage import catalog, chunks, engine
from indexer.storage.apply import apply_changes
from indexer.storage.commit import Writer
from indexer.storage.tables import EmbeddingRow
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

FILES, BATCH, DIMENSION = 10_000, 500, 1024
CONTRACT = Contract(
    "bench", None, "0" * 64, Pooling.MEAN, "", "", None, DIMENSION, True, 512, "1/512"
)


def batch(first: int, rng: np.random.Generator) -> Changes:
    files, vectors = [], {}
    for number in range(first, first + BATCH):
        words = f"file {number} " + " ".join(f"word{(number * 7 + i) % 997}" for i in range(80))
        chunk = Chunk(0, words, 0, len(words), 1, 9, (), "", words, 120)
        key = embedding_key(CONTRACT, Kind.DOCUMENT, words)
        vector = rng.standard_normal(DIMENSION)
        vectors[key] = (vector / np.linalg.norm(vector)).astype(np.float32)
        document = PreparedDocument("", f"File {number}", "text", {}, (chunk,), (key,))
        stamp = FileStamp(b"/bench/%d.txt" % number, 600, 1, hashlib.sha256(key).digest())
        files.append(FileChange(stamp, (document,)))
    return Changes(files=tuple(files), vectors=vectors)


def scan(connection: Connection) -> float:
    started = time.perf_counter()
    size = sum(len(blob) for blob in connection.scalars(select(EmbeddingRow.vector)))
    return size / (time.perf_counter() - started) / 1e6


def random_reads(connection: Connection) -> float:
    """Median milliseconds to fetch 100 chunks by id."""
    times = []
    for _ in range(30):
        ids = random.sample(range(1, FILES + 1), 100)
        started = time.perf_counter()
        assert len(chunks.stored_chunks(connection, ids)) == 100
        times.append((time.perf_counter() - started) * 1e3)
    return sorted(times)[len(times) // 2]


def measure(folder: Path, page_size: int, synchronous: str) -> None:
    engine.PAGE_SIZE = page_size
    rng = np.random.default_rng(0)
    changes = [batch(first, rng) for first in range(0, FILES, BATCH)]
    with Writer.open(folder, CONTRACT) as writer:
        raw = writer._engine.raw_connection()  # the only one of its pool
        raw.cursor().execute(f"PRAGMA synchronous={synchronous}")
        raw.close()
        started = time.perf_counter()
        for change in changes:
            with writer._engine.begin() as connection:
                apply_changes(connection, catalog.head(connection), change)
        rows = FILES / (time.perf_counter() - started)
    size = (folder / "catalog.sqlite3").stat().st_size / 1e6
    reader = engine.open_reader_engine(folder / "catalog.sqlite3")
    with reader.begin() as connection:
        assert connection.scalar(text("PRAGMA page_size")) == page_size
        reads = random_reads(connection)
        scanned = max(scan(connection) for _ in range(3))
    reader.dispose()
    print(
        f"{page_size // 1024:3} KB {synchronous:6}: {rows:7.0f} files/s, {size:6.1f} MB, "
        f"100 random chunks {reads:.2f} ms, scan {scanned:.0f} MB/s"
    )


if __name__ == "__main__":
    for synchronous in ("FULL", "NORMAL"):
        for size in (4096, 8192, 16384, 32768):
            if synchronous == "NORMAL" and size != 8192:
                continue
            with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as name:
                measure(Path(name) / "collection", size, synchronous)
