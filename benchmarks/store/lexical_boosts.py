"""nDCG@10 of the lexical copy alone on judged sets, for a choice of field boosts and tie breakers.

    python benchmarks/store/lexical_boosts.py DATA/cranfield DATA/xquad-en DATA/xquad-zh

Each folder is in BEIR layout. A document is one entry: title as head, text as body, no name.
"""

import csv
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ir_measures
from ir_measures import Qrel, ScoredDoc, nDCG

from indexer.storage import lexical_clauses
from indexer.storage.analysis import guess_language
from indexer.storage.lexical import open_index
from indexer.storage.lexical_entries import BODY, HEAD, NAME, make_entry
from indexer.storage.lexical_query import parse_query
from indexer.storage.lexical_reader import LexicalSnapshot

HEAD_BOOSTS = (0.5, 0.7, 1.0)
TIE_BREAKERS = (0.1, 0.2, 0.3)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def build(folder: Path, corpus: list[dict[str, Any]]) -> tuple[LexicalSnapshot, set[str], float]:
    """The opened copy, the languages in it, and milliseconds of analysis and adding per entry."""
    started = time.perf_counter()
    index = open_index(folder, create=True)
    writer = index.writer(48_000_000, 1)
    languages = set()
    for number, row in enumerate(corpus):
        language = guess_language([row["text"]])
        languages.add(language)
        titles = (row.get("title", ""),)
        writer.add_document(make_entry(number, row["text"], titles, "", language))
    took = (time.perf_counter() - started) / len(corpus) * 1e3
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    return LexicalSnapshot(1, index), languages, took


def qrels_of(folder: Path) -> list[Qrel]:
    with (folder / "qrels" / "test.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [Qrel(r["query-id"], r["corpus-id"], int(r["score"])) for r in rows]


def measure(data: Path) -> None:
    corpus, queries, qrels = (
        lines(data / "corpus.jsonl"),
        lines(data / "queries.jsonl"),
        qrels_of(data),
    )
    judged = {qrel.query_id for qrel in qrels}
    queries = [row for row in queries if row["_id"] in judged]
    with tempfile.TemporaryDirectory() as folder:
        snapshot, languages, took = build(Path(folder), corpus)
        print(
            f"{data.name}: {len(corpus)} entries, {took:.3f} ms each, languages {sorted(languages)}"
        )
        for head, tie in itertools.product(HEAD_BOOSTS, TIE_BREAKERS):
            lexical_clauses.BOOSTS = {BODY: 1.0, HEAD: head, NAME: 0.5}
            lexical_clauses._TIE_BREAKER = tie
            started = time.perf_counter()
            run = [
                ScoredDoc(row["_id"], corpus[number]["_id"], score)
                for row in queries
                for number, score in snapshot.search(parse_query(row["text"]), languages, 10)
            ]
            ms = (time.perf_counter() - started) / len(queries) * 1e3
            value = ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10]
            print(f"  head {head:4} tie {tie:3}  nDCG@10 {value:.4f}  {ms:.2f} ms/query")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        measure(Path(argument))
