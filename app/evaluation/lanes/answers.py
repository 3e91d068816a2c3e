"""Every query of a judged set answered in every way, kept as files for the parent process."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.evaluation.apart import OnStep
from app.evaluation.quality.agreement import SAMPLE
from app.evaluation.quality.metrics import DEPTH
from app.judging.names import document_names
from app.search.query import Mode as Way
from app.search.retrieval import Question, retrieve
from indexer.embedding.embedder import Embedder
from indexer.storage.collection import Collection
from indexer.storage.lexical_query import parse_query
from indexer.storage.snapshot import Snapshot
from indexer.types import Kind, Scan, Vector

VECTORS = "vectors.npz"
_QUERIES_AT_ONCE = 64


def run_file(way: Way, kind: Scan) -> str:
    """Where the ranking of a way lies: {query id: [[document, score], ...]}."""
    return f"{way}-{kind}.json"


@dataclass(frozen=True, slots=True)
class Asked:
    """What shall be asked, and where the answers go."""

    queries: dict[str, str]  # {query id: text}
    corpus: Path | None  # None: documents are named as judgements of a live collection name them
    kinds: tuple[Scan, ...]
    ways: tuple[Way, ...]
    output: Path  # a folder


def answer_all(
    asked: Asked, collection: Collection, embedder: Embedder, on_step: OnStep
) -> dict[str, Any]:
    """Write each way's rankings and a sample of the stored vectors.

    Returns:
        ann_recalls, one a query (see `_ann_recalls`), and documents, how many can be found.
    """
    texts = [parse_query(text).text for text in asked.queries.values()]
    vectors = _embed_queries(texts, embedder, on_step)
    asked.output.mkdir(parents=True, exist_ok=True)
    with collection.snapshot() as now:
        names = _names(now, asked.corpus)
        for way in asked.ways:
            for kind in asked.kinds:
                run = _rank_all(now, asked.queries, way, kind, vectors, names, on_step)
                (asked.output / run_file(way, kind)).write_text(json.dumps(run), "utf-8")
        kept = now.vectors_by_key(SAMPLE)
        keys = np.frombuffer(b"".join(kept), np.uint8).reshape(len(kept), -1)
        np.savez(
            asked.output / VECTORS,
            keys=keys,
            passages=np.array(list(kept.values())),
            queries=np.array(vectors),
        )
        recalls = _ann_recalls(now, vectors) if Scan.CODES in asked.kinds else []
    return {"ann_recalls": recalls, "documents": len(names)}


def _rank_all(
    now: Snapshot,
    queries: dict[str, str],
    way: Way,
    kind: Scan,
    vectors: Sequence[Vector],
    names: dict[int, str],
    on_step: OnStep,
) -> dict[str, list[tuple[str, float]]]:
    run = {}
    for number, (identity, text) in enumerate(queries.items()):
        if number % 50 == 0:
            on_step(f"{way} search, {kind}: query {number:,} of {len(queries):,}")
        vector = None if way is Way.LEXICAL else vectors[number]
        # One more than is measured: a document with the query's id may go.
        items = retrieve(now, Question(text, way, vector, scan=kind), DEPTH + 1).items
        run[identity] = [
            (names[document_id], item.score)
            for item in items
            for document_id in (item.document_id, *item.duplicates)
        ][: DEPTH + 1]
    return run


def _embed_queries(texts: Sequence[str], embedder: Embedder, on_step: OnStep) -> list[Vector]:
    vectors: list[Vector] = []
    for start in range(0, len(texts), _QUERIES_AT_ONCE):
        on_step(f"embedding queries, {start:,} of {len(texts):,}")
        vectors.extend(embedder.embed(texts[start : start + _QUERIES_AT_ONCE], Kind.QUERY))
    return vectors


def _names(now: Snapshot, corpus: Path | None) -> dict[int, str]:
    """{document id: the name that judgements use}.

    Of a JSONL corpus that is the `_id`; of a folder the path below it, `path#id` inside a file of
    many documents.
    """
    if corpus is None:
        return {document.id: name for name, document in document_names(now)}
    name = _in_file if corpus.is_file() else _below(corpus)
    names: dict[int, str] = {}
    after = 0
    while page := now.documents(after=after, limit=10_000):
        names.update({document.id: name(document.path, document.member) for document in page})
        after = page[-1].id
    return names


def _in_file(_path: bytes, member: str) -> str:
    return member


def _below(corpus: Path) -> Callable[[bytes, str], str]:
    root = corpus.resolve()

    def name(path: bytes, member: str) -> str:
        inside = Path(os.fsdecode(path)).relative_to(root).as_posix()
        return f"{inside}#{member}" if member else inside

    return name


def _ann_recalls(now: Snapshot, vectors: Sequence[Vector], k: int = 10) -> list[float]:
    """Of each query the share of the k nearest chunks that codes find."""
    recalls = (now.recall(vector, k, Scan.CODES) for vector in vectors)
    return [recall for recall in recalls if recall is not None]
