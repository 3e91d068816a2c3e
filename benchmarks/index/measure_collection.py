"""What a made collection answers and takes: filters, updates, hits, words, pages, checking."""

import argparse
import os
import sqlite3
import time
from contextlib import closing
from typing import Any

import numpy as np
from engine import anonymous_mib, times_ms
from made_files import CHUNKS_PER_FILE, SHARES, base_of, file_of

from indexer.storage import chunks
from indexer.storage.check import check
from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.storage.filters.where import Metadata
from indexer.types import Changes

RANDOM_READS = 1_000  # of chunks anywhere in the catalog


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


def measure_catalog(given: argparse.Namespace) -> dict[str, Any]:
    """What depends on the size of SQLite's pages: random reads, a scan, the catalog's check."""
    rng = np.random.default_rng(5)
    path = given.folder / "catalog.sqlite3"
    tens = rng.integers(1, given.n + 1, (RANDOM_READS, 10)).tolist()
    hundreds = rng.integers(1, given.n + 1, (RANDOM_READS // 10, 100)).tolist()
    with Collection.open(given.folder) as reader:
        report: dict[str, Any] = {"hydrate_10_random": times_ms(reader.chunks, tens)}
        with reader.snapshot() as now:
            report["vectors_100_random"] = times_ms(
                lambda ids: chunks.vectors_of_chunks(now.connection, ids, given.dimension), hundreds
            )
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as catalog:
        report["page_size"] = catalog.execute("PRAGMA page_size").fetchone()[0]
        report["catalog_mib"] = path.stat().st_size / 2**20
        started = time.perf_counter()
        read = catalog.execute("SELECT sum(length(vector)) FROM embeddings").fetchone()[0]
        report["scan_mb_per_s"] = read / (time.perf_counter() - started) / 1e6
        started = time.perf_counter()
        assert catalog.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        report["catalog_check_s"] = time.perf_counter() - started
    return report


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Everything, or what the page size changes."""
    if given.catalog_only:
        return {"catalog": measure_catalog(given)}
    base = base_of(given)
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
    report["lexical_segments"] = len(list((given.folder / "lexical").glob("*.idx")))
    report["updates"] = measure_updates(given, reader)
    reader.close()
    report["catalog"] = measure_catalog(given)
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
