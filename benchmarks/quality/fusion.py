"""Ways to make one ranking of cosine and BM25, compared on judged sets: docs/decisions/0011.

    python benchmarks/quality/fusion.py CORPUS QUERIES QRELS --home FOLDER [--model minilm]

Every chunk's two scores are read once from the collection that `judged.py` (or this) leaves in
FOLDER, so a run costs one embedding per query however many ways are compared.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import ir_measures
from ir_measures import R, nDCG
from judged import document_name, read_qrels, read_queries

from app.search.collections import Collections
from app.search.fusion import FULL_MATCH, Candidate, full_lexical, fuse
from app.search.models import Models
from app.settings import Settings
from indexer.types import Kind
from semsearch import Collection

MEASURES = [nDCG @ 10, R(rel=2) @ 3]
RRF_K = 60  # Cormack, Clarke and Buettcher 2009
DEPTH = 100  # candidates of each search


@dataclass(frozen=True)
class Scored:
    """One query with both scores of every chunk."""

    query_id: str
    weight: float  # what the query's words weigh
    chunks: list[Candidate]


Ranking = list[tuple[int, float]]  # (document id, score)
Way = Callable[[Scored], Ranking]


def candidates(scored: Scored, *, complete: bool = True) -> list[Candidate]:
    """The chunks that either search gives; not `complete`: a score it did not give is 0."""
    dense = sorted(scored.chunks, key=lambda c: -c.dense)[:DEPTH]
    words = [c for c in scored.chunks if c.lexical > 0]
    lexical = sorted(words, key=lambda c: -c.lexical)[:DEPTH]
    meant, said = {c.chunk_id for c in dense}, {c.chunk_id for c in lexical}
    found = {c.chunk_id: c for c in [*dense, *lexical]}.values()
    if complete:
        return list(found)
    return [
        replace(
            c,
            dense=c.dense if c.chunk_id in meant else 0.0,
            lexical=c.lexical if c.chunk_id in said else 0.0,
        )
        for c in found
    ]


def by_score(weight: float, full_match: float = FULL_MATCH, *, complete: bool = True) -> Way:
    """The product's fusion with another weight, or without what it adds."""

    def rank(scored: Scored) -> Ranking:
        chosen = candidates(scored, complete=complete)
        share = full_match / FULL_MATCH
        full = full_lexical((c.lexical for c in chosen), share * scored.weight)
        return [(item.document_id, item.score) for item in fuse(chosen, full, weight)]

    return rank


def by_rank(scored: Scored) -> Ranking:
    """Reciprocal rank fusion of the two rankings of documents."""
    totals: dict[int, float] = {}
    for side in ("dense", "lexical"):
        best: dict[int, float] = {}
        for c in candidates(scored, complete=False):
            best[c.document_id] = max(best.get(c.document_id, 0.0), getattr(c, side))
        found = [d for d in sorted(best, key=lambda d: -best[d]) if best[d] > 0]
        for rank, document in enumerate(found, start=1):
            totals[document] = totals.get(document, 0.0) + 1 / (RRF_K + rank)
    return sorted(totals.items(), key=lambda item: -item[1])


WAYS: dict[str, Way] = {
    "dense alone": by_score(1.0),
    "lexical alone": by_score(0.0, 0.0),
    "ranks, k 60": by_rank,
    **{f"scores, weight {weight}": by_score(weight) for weight in (0.5, 0.6, 0.65, 0.7, 0.8)},
    "scores, weight 0.65, a missing score is 0": by_score(0.65, complete=False),
    "scores, weight 0.65, any best match is full": by_score(0.65, 0.0),
}


def score_all(
    corpus: Path, queries: list[dict[str, str]], settings: Settings
) -> tuple[list[Scored], dict[int, str]]:
    """Both scores of every chunk for every query, and {document id: name in the judgements}."""
    collections = Collections(settings)
    collection = collections.get()
    embedder = Models(settings).embedder_of(collection.contract)
    vectors = embedder.embed([query["text"] for query in queries], Kind.QUERY)
    with collection.snapshot() as now:
        ids = [hit.chunk_id for hit in now.dense(vectors[0], 1 << 30)]
        documents = now.documents_of(ids)[0]
        scored = []
        for query, vector in zip(queries, vectors, strict=True):
            cosines = now.cosines(vector, ids)
            words = now.lexical_scores(query["text"], ids)
            chunks = [Candidate(i, documents[i], cosines[i], words.get(i, 0.0)) for i in ids]
            scored.append(Scored(query["id"], now.lexical_weight(query["text"]), chunks))
        names = {}
        for chunk in now.chunks(ids).values():
            names[chunk.document_id] = document_name(chunk, corpus)
    collections.close()
    return scored, names


def run_of(
    way: Way, scored: list[Scored], names: dict[int, str]
) -> Iterator[ir_measures.ScoredDoc]:
    """The first hundred documents of each query."""
    for query in scored:
        for rank, (document, _) in enumerate(way(query)[:100]):
            yield ir_measures.ScoredDoc(query.query_id, names[document], -rank)


def main() -> None:
    """Print one JSON object: {way: {measure: value}}."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("qrels", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--language", help="only queries of this language")
    args = parser.parse_args()
    with Collection("judged", home=args.home, model=args.model) as collection:
        collection.index(args.corpus)
    settings = Settings.load(flags={"home": args.home, "collection": "judged"})
    queries = read_queries(args.queries)
    if args.language:
        queries = [query for query in queries if query["language"] == args.language]
    scored, names = score_all(args.corpus, queries, settings)
    asked = {query["id"] for query in queries}
    judged = [qrel for qrel in read_qrels(args.qrels) if qrel.query_id in asked]
    results = {
        name: {
            str(measure): round(value, 4)
            for measure, value in ir_measures.calc_aggregate(
                MEASURES, judged, run_of(way, scored, names)
            ).items()
        }
        for name, way in WAYS.items()
    }
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
