"""Several searches as one ranking: documents that many of them rank high come first."""

from typing import Any

import pytest

from app.search.query import Mode, Query
from app.search.service import SearchService
from app.search.several import fuse_answers
from indexer.errors import QueryError
from indexer.types import Kind

# tests/app/search/conftest.py, loaded under its own name: `conftest` is that of tests/.
AxisEmbedder = Any
Plant = Any

PLANTED = {"/a": [("heron", 0.2)], "/b": [("a heron stands", 0.9)], "/c": [("spanner", 0.8)]}


def test_documents_are_ranked_by_the_sum_of_their_reciprocal_ranks(
    plant: Plant, axis_embedder: AxisEmbedder
) -> None:
    embedder = axis_embedder()
    service = SearchService(lambda _contract: embedder)
    one = {"one": plant("one", PLANTED)}
    answers = [service.search(Query("heron", mode), one) for mode in (Mode.LEXICAL, Mode.DENSE)]
    assert [[hit.chunk.path for hit in answer.hits] for answer in answers] == [
        [b"/a", b"/b"],
        [b"/b", b"/c", b"/a"],
    ]
    fused = fuse_answers(answers, 2)
    assert [(hit.rank, hit.chunk.path) for hit in fused] == [(1, b"/b"), (2, b"/a")]
    assert fused[0].score == pytest.approx(1 / 62 + 1 / 61)
    assert fused[0].dense == pytest.approx(0.9, abs=1e-3)  # as in the answer that ranks it best
    assert fuse_answers([], 3) == []


def test_passage_is_embedded_as_a_document(plant: Plant, axis_embedder: AxisEmbedder) -> None:
    embedder = axis_embedder()
    service = SearchService(lambda _contract: embedder)
    passage = Query("A heron is a bird.", Mode.DENSE, kind=Kind.DOCUMENT)
    service.search(passage, {"one": plant("one", PLANTED)})
    assert embedder.seen == [("A heron is a bird.", Kind.DOCUMENT, None)]
    for wrong in (
        Query("x", Mode.HYBRID, kind=Kind.DOCUMENT),
        Query("x", Mode.DENSE, instruction="Find", kind=Kind.DOCUMENT),
    ):
        with pytest.raises(QueryError, match="passage"):
            wrong.check()
