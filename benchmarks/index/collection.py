"""A whole collection of a million chunks: commits, updates, filters, words, hydrating, checking.

    python benchmarks/index/collection.py build VECTORS TEXTS.sqlite3 FOLDER --n 1000000
    python benchmarks/index/collection.py measure VECTORS FOLDER --n 1000000

Vectors are those of `vectors.py`, texts those of a real collection's catalog in turn, ten chunks a
file; metadata gives each file a share it belongs to, for filters of every selectivity.
"""

import argparse
import hashlib
import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import numpy as np
from engine import anonymous_mib, times_ms

from indexer.storage.check import check
from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.storage.filters.where import Metadata
from indexer.storage.vectors.process import build_apart
from indexer.storage.vectors.wishes import BuildWishes
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


def contract_of(dimension: int) -> Contract:
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


def commit_rows(writer: Writer, base: Any, texts: list[str]) -> None:
    """All rows in order, one chunk each."""
    step = FILES_PER_COMMIT * CHUNKS_PER_FILE
    for start in range(0, len(base), step):
        files, vectors = [], {}
        for first in range(start, min(start + step, len(base)), CHUNKS_PER_FILE):
            block = base[first : first + CHUNKS_PER_FILE].astype(np.float32)
            file, stored = file_of(first // CHUNKS_PER_FILE, texts, block, first)
            files.append(file)
            vectors.update(stored)
        writer.commit(Changes(files=tuple(files), vectors=vectors))


def build(given: argparse.Namespace) -> dict[str, Any]:
    base = np.memmap(given.vectors / f"base-{given.n}-{given.dimension}.f16", "<f2", "r")
    base = base.reshape(-1, given.dimension)
    texts = texts_of(given.texts)
    report: dict[str, Any] = {}
    started = time.perf_counter()
    with Writer.open(given.folder, contract_of(given.dimension)) as writer:
        commit_rows(writer, base, texts)
        report["commits_s"] = time.perf_counter() - started
        report["chunks_per_s"] = given.n / report["commits_s"]
        started = time.perf_counter()
        writer.sync()
        report["sync_s"] = time.perf_counter() - started
    started = time.perf_counter()
    build_apart(given.folder, BuildWishes(threads=2), lambda *_: None)
    report["index_s"] = time.perf_counter() - started
    return report


def measure_filters(reader: Collection, base: Any, queries: Any) -> dict[str, Any]:
    """Recall against exact search among the rows that match, and latency, filter included."""
    report: dict[str, Any] = {"cold": times_ms(lambda query: reader.dense(query, 10), queries)}
    plain = times_ms(lambda query: reader.dense(query, 10), queries)
    report["none"] = plain
    for name, parts in SHARES.items():
        where = Metadata(f"of_{parts}", "1")
        started = time.perf_counter()
        reader.dense(queries[0], 10, where)
        first_s = time.perf_counter() - started
        files = np.arange(1, len(base) // CHUNKS_PER_FILE, parts)
        rows = (files[:, None] * CHUNKS_PER_FILE + np.arange(CHUNKS_PER_FILE)).ravel()
        found = []
        block = base[rows].astype(np.float32)
        for query in queries[:100]:
            true = set((rows[np.argsort(-(block @ query))[:10]] + 1).tolist())
            got = {hit.chunk_id for hit in reader.dense(query, 10, where)}
            found.append(len(true & got) / 10)
        figures = times_ms(lambda query, where=where: reader.dense(query, 10, where), queries)
        report[name] = {
            "recall": float(np.mean(found)),
            "first_ms": first_s * 1000,
            **figures,
            "times_unfiltered": figures["p50_ms"] / plain["p50_ms"],
        }
    return report


def measure_updates(given: argparse.Namespace, reader: Collection) -> dict[str, Any]:
    """From the start of a commit of 1,000 chunks until one of them is the first hit."""
    rng = np.random.default_rng(int(time.time()))
    vectors = rng.standard_normal((1_000, given.dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first = 10**9 + int(time.time()) * 1_000
    started = time.perf_counter()
    with Writer.open(given.folder, reader.contract) as writer:
        files, stored = [], {}
        for i in range(0, 1_000, CHUNKS_PER_FILE):
            number = (first + i) // CHUNKS_PER_FILE
            block = vectors[i : i + CHUNKS_PER_FILE]
            file, some = file_of(number, ["fresh text"], block, first + i)
            files.append(file)
            stored.update(some)
        writer.commit(Changes(files=tuple(files), vectors=stored))
        committed = time.perf_counter() - started
        hits = reader.dense(vectors[777], 1)
        searchable = time.perf_counter() - started
        assert hits[0].score > 0.999
        started = time.perf_counter()
        writer.sync()
        synced = time.perf_counter() - started
        started = time.perf_counter()
        writer.commit(Changes(removed=tuple(file.stamp.path for file in files)))
        assert reader.dense(vectors[777], 1)[0].score < 0.9
        gone = time.perf_counter() - started
        writer.sync()
    return {
        "commit_1000_s": committed,
        "searchable_1000_s": searchable,
        "sync_1000_s": synced,
        "gone_1000_s": gone,
    }


def wait_until_checked(reader: Collection) -> float:
    """Until the rows, which an earlier run appended to, were looked at in the background."""
    started = time.perf_counter()
    with reader.snapshot() as now:
        mapped = now.vectors.at(now.connection, now.head).mapped
    assert mapped is not None
    while not mapped.is_checked:
        time.sleep(0.1)
    return time.perf_counter() - started


def measure(given: argparse.Namespace) -> dict[str, Any]:
    base = np.memmap(given.vectors / f"base-{given.n}-{given.dimension}.f16", "<f2", "r")
    base = base.reshape(-1, given.dimension)
    queries = np.load(given.vectors / f"queries-{given.dimension}.npy")[:300].astype(np.float32)
    before_mib = anonymous_mib()
    started = time.perf_counter()
    reader = Collection.open(given.folder)
    reader.dense(queries[0], 10)
    report: dict[str, Any] = {"open_and_first_query_s": time.perf_counter() - started}
    report["ram_mib"] = anonymous_mib() - before_mib
    report["rows_checked_s"] = wait_until_checked(reader)
    report["filters"] = measure_filters(reader, base, queries)
    report["ram_with_filters_mib"] = anonymous_mib() - before_mib
    hits = [[hit.chunk_id for hit in reader.dense(query, 10)] for query in queries]
    report["hydrate_10"] = times_ms(reader.chunks, hits)
    words = [
        " ".join(chunk.text.split()[3:9])
        for ids in hits
        for chunk in list(reader.chunks(ids[:1]).values())
    ]
    report["lexical_100"] = times_ms(lambda text: reader.lexical(text, 100), words)
    report["updates"] = measure_updates(given, reader)
    reader.close()
    started = time.perf_counter()
    problems = check(given.folder)
    report["check_s"], report["problems"] = time.perf_counter() - started, problems
    report["bytes"] = {
        path.name: path.stat().st_size for path in sorted(given.folder.iterdir()) if path.is_file()
    }
    report["bytes"]["lexical"] = sum(
        entry.stat().st_size for entry in os.scandir(given.folder / "lexical")
    )
    return report


def main() -> None:
    """One of the two steps; prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    for step in ("build", "measure"):
        sub = steps.add_parser(step)
        sub.add_argument("vectors", type=Path)
        if step == "build":
            sub.add_argument("texts", type=Path)
        sub.add_argument("folder", type=Path)
        sub.add_argument("--n", type=int, default=1_000_000)
        sub.add_argument("--dimension", type=int, default=1024)
    given = parser.parse_args()
    report = build(given) if given.step == "build" else measure(given)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
