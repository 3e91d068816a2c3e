"""A whole collection of a million chunks: commits, updates, filters, words, hydrating, checking.

    python benchmarks/index/collection.py build VECTORS TEXTS.sqlite3 FOLDER --n 1000000
        [--page-size 16384] [--no-index] [--model minilm --dimension 384]
    python benchmarks/index/collection.py measure VECTORS FOLDER --n 1000000 [--catalog-only]

Vectors are those of `vectors.py`, texts those of a real collection's catalog in turn, ten chunks a
file; metadata gives each file a share it belongs to, for filters of every selectivity. With the
name of a model of the vectors' dimension, in a FOLDER of the form HOME/collections/NAME, the
collection can be served (`../serving/`), as if that model had embedded it.

Two page sizes are compared by two folders built with `--no-index` and measured with
`--catalog-only`: commits and bytes, ten hits, reads of the whole and the check of the catalog.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from made_files import base_of, commit_rows, contract_of, texts_of
from measure_collection import measure

from indexer.modes import Mode, Placement, Precision
from indexer.storage import engine
from indexer.storage.commit import Writer
from indexer.storage.vectors.process import build_apart
from indexer.storage.vectors.wishes import BuildWishes


def build(given: argparse.Namespace) -> dict[str, Any]:
    """Commit everything, bring the copies up to date, build codes over the vectors."""
    engine.PAGE_SIZE = given.page_size
    base, texts = base_of(given), texts_of(given.texts)
    mode = Mode(Placement.CPU, Precision.FP32) if given.model else None
    report: dict[str, Any] = {"page_size": given.page_size}
    started = time.perf_counter()
    with Writer.open(given.folder, contract_of(given)) as writer:
        commit_rows(writer, base, texts, mode)
        report["commits_s"] = time.perf_counter() - started
        report["chunks_per_s"] = given.n / report["commits_s"]
        started = time.perf_counter()
        writer.sync()
        report["sync_s"] = time.perf_counter() - started
    report["catalog_mib"] = (given.folder / "catalog.sqlite3").stat().st_size / 2**20
    if not given.no_index:
        started = time.perf_counter()
        build_apart(given.folder, BuildWishes(threads=2), lambda *_: None)
        report["index_s"] = time.perf_counter() - started
    return report


def main() -> None:
    """One of the two steps; prints JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    for step in ("build", "measure"):
        sub = steps.add_parser(step)
        sub.add_argument("vectors", type=Path)
        if step == "build":
            sub.add_argument("texts", type=Path)
            sub.add_argument("--page-size", type=int, default=engine.PAGE_SIZE)
            sub.add_argument("--no-index", action="store_true")
            sub.add_argument("--model")
        else:
            sub.add_argument("--catalog-only", action="store_true")
        sub.add_argument("folder", type=Path)
        sub.add_argument("--n", type=int, default=1_000_000)
        sub.add_argument("--dimension", type=int, default=1024)
    given = parser.parse_args()
    report = build(given) if given.step == "build" else measure(given)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
