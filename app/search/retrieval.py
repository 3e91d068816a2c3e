"""The best documents of one collection at one generation, by meaning, by words, or by both."""

from dataclasses import dataclass, replace

from app.search.fusion import Candidate, Fused, full_lexical, fuse
from app.search.query import Mode
from app.search.stages import Stage, Stages
from indexer.storage.filters.where import Where
from indexer.storage.lexical_query import LexicalQuery, literal, parse_query
from indexer.storage.snapshot import Snapshot
from indexer.types import Kind, Scan, StoredFile, Vector

# Chunks looked at per wanted document at first; doubled until there are k different documents.
CHUNKS_PER_DOCUMENT = 4
# Chunks that each search of a hybrid one gives at least. On collections of up to 6,417 chunks more
# than 50 change nothing (docs/decisions/0011-fusion.md); twice as many leave room for larger ones.
LEAST_CANDIDATES = 100


@dataclass(frozen=True, slots=True)
class Question:
    """A query, ready to be asked."""

    text: str
    mode: Mode
    vector: Vector | None = None  # None in lexical mode
    where: Where | None = None  # which documents' chunks may be found
    scan: Scan = Scan.CHEAPEST
    kind: Kind = Kind.QUERY  # of a passage all is words

    @property
    def query(self) -> LexicalQuery:
        """The text, read; its vector is that of `query.text`."""
        return parse_query(self.text) if self.kind is Kind.QUERY else literal(self.text)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Documents, best first, and the file that each of them and of their duplicates came from."""

    items: list[Fused]
    files: dict[int, StoredFile]  # by document id


def retrieve(now: Snapshot, question: Question, k: int, stages: Stages | None = None) -> Ranking:
    """The k best documents, best first, one of each content; fewer when there are no more.

    A few long documents may own all the first chunks, so the depth doubles until there are k
    documents or no more chunks.
    """
    stages = stages or Stages()
    hybrid = question.mode is Mode.HYBRID
    depth = max(k * CHUNKS_PER_DOCUMENT, LEAST_CANDIDATES if hybrid else 0)
    while True:
        dense, lexical = _search(now, question, depth, stages)
        exhausted = max(len(dense), len(lexical)) < depth
        if hybrid:
            _complete(now, question, dense, lexical, stages)
        with stages.time(Stage.FETCH):
            candidates, files = _candidates(now, dense, lexical)
        ranked = _fold(_rank(now, question, candidates), files)
        if len(ranked) >= k or exhausted:
            return Ranking(ranked[:k], files)
        depth *= 2


def _search(
    now: Snapshot, question: Question, depth: int, stages: Stages
) -> tuple[dict[int, float], dict[int, float]]:
    """{chunk id: cosine} and {chunk id: BM25} of the best chunks; {} for what is not asked."""
    dense, lexical = {}, {}
    query, where = question.query, question.where
    if question.vector is not None:
        with stages.time(Stage.DENSE):
            meant = now.dense(question.vector, depth, where, question.scan, query.constraints)
        dense = {hit.chunk_id: hit.score for hit in meant}
    if question.mode is not Mode.DENSE:
        with stages.time(Stage.LEXICAL):
            said = now.lexical(query, depth, where)
        lexical = {hit.chunk_id: hit.score for hit in said}
    return dense, lexical


def _complete(
    now: Snapshot,
    question: Question,
    dense: dict[int, float],
    lexical: dict[int, float],
    stages: Stages,
) -> None:
    """Give each chunk that only one search found its score of the other.

    To count a missing score as 0 would cost a document 0.65 of its cosine for standing one place
    behind the last candidate: nDCG@10 of xquad-zh falls from 0.949 to 0.816.
    """
    assert question.vector is not None
    only_words = [chunk_id for chunk_id in lexical if chunk_id not in dense]
    only_meant = [chunk_id for chunk_id in dense if chunk_id not in lexical]
    with stages.time(Stage.DENSE):
        dense.update(now.cosines(question.vector, only_words))
    with stages.time(Stage.LEXICAL):
        lexical.update(now.lexical_scores(question.query, only_meant))


def _candidates(
    now: Snapshot, dense: dict[int, float], lexical: dict[int, float]
) -> tuple[list[Candidate], dict[int, StoredFile]]:
    """(chunks that are live, with what is known of them, their documents' files)."""
    documents, files = now.documents_of(list(dense | lexical))
    candidates = [
        Candidate(chunk_id, document_id, dense.get(chunk_id, 0.0), lexical.get(chunk_id, 0.0))
        for chunk_id, document_id in documents.items()
    ]
    return candidates, files


def _rank(now: Snapshot, question: Question, candidates: list[Candidate]) -> list[Fused]:
    """One search alone is a fusion where the other counts nothing."""
    match question.mode:
        case Mode.HYBRID:
            scores = (candidate.lexical for candidate in candidates)
            return fuse(candidates, full_lexical(scores, now.lexical_weight(question.query)))
        case Mode.DENSE:
            return fuse(candidates, 1.0, weight=1.0)
        case Mode.LEXICAL:
            return fuse(candidates, 1.0, weight=0.0)


def _fold(ranked: list[Fused], files: dict[int, StoredFile]) -> list[Fused]:
    """The ranking with documents of the same content as one that stands before them put into it."""
    first: dict[tuple[bytes, str], int] = {}
    folded: dict[int, list[int]] = {}
    for item in ranked:
        stored = files[item.document_id]
        best = first.setdefault((stored.stamp.sha256, stored.member), item.document_id)
        folded.setdefault(best, []).append(item.document_id)
    return [
        replace(item, duplicates=tuple(same[1:])) if len(same) > 1 else item
        for item in ranked
        if (same := folded.get(item.document_id))
    ]
