"""Search quality of the product as it is: a judged set through the store, best chunk per document.

    python benchmarks/quality/judged.py CORPUS QUERIES QRELS [--model minilm] [--mode hybrid]

CORPUS is what gets indexed: a BEIR corpus.jsonl (each line a document) or a folder (documents are
named by their path below it, `path#id` inside a JSONL file). Metrics by ir-measures.
"""

import argparse
import json
import os
import tempfile
from collections import defaultdict
from pathlib import Path

import ir_measures
from ir_measures import RR, R, nDCG

from app.judging import read
from indexer.types import StoredChunk
from semsearch import Collection, Hit

MEASURES = [nDCG @ 10, R @ 3, R @ 10, R @ 100, RR @ 10, R(rel=2) @ 3]


def document_name(of: Hit | StoredChunk, corpus: Path) -> str:
    """The id that the judgements use."""
    if corpus.is_file():
        return of.member
    path = Path(os.fsdecode(of.path)).relative_to(corpus.absolute()).as_posix()
    return f"{path}#{of.member}" if of.member else path


def read_queries(path: Path) -> list[dict[str, str]]:
    """BEIR queries, with their language where they name one."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        {
            "id": row["_id"],
            "text": row["text"],
            "language": row.get("metadata", {}).get("language", ""),
        }
        for row in rows
    ]


def read_qrels(path: Path) -> list[ir_measures.Qrel]:
    """Judgements as ir-measures takes them."""
    return [
        ir_measures.Qrel(query, document, grade)
        for query, of in read.read_qrels(path).items()
        for document, grade in of.items()
    ]


def evaluate(
    corpus: Path, queries: Path, qrels: Path, *, home: Path, model: str, mode: str, k: int = 100
) -> dict[str, dict[str, float]]:
    """{language or "all": {measure: value}}."""
    asked = read_queries(queries)
    judged = read_qrels(qrels)
    with Collection("judged", home=home, model=model) as collection:
        collection.index(corpus)
        run = [
            ir_measures.ScoredDoc(query["id"], document_name(hit, corpus), -hit.rank)
            for query in asked
            for hit in collection.search(query["text"], k, mode=mode)
        ]
    groups: dict[str, set[str]] = defaultdict(set)
    for query in asked:
        groups["all"].add(query["id"])
        if query["language"]:
            groups[query["language"]].add(query["id"])
    return {
        name: {
            str(measure): round(value, 4)
            for measure, value in ir_measures.calc_aggregate(
                MEASURES,
                [q for q in judged if q.query_id in ids],
                [r for r in run if r.query_id in ids],
            ).items()
        }
        | {"queries": len(ids)}
        for name, ids in groups.items()
    }


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("qrels", type=Path)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--mode", default="hybrid")
    parser.add_argument("--home", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        results = evaluate(
            args.corpus,
            args.queries,
            args.qrels,
            home=args.home or Path(temporary),
            model=args.model,
            mode=args.mode,
        )
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
