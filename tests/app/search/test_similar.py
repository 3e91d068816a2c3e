"""Documents like another, over planted vectors: the direction is the mean, the own are left out."""

from typing import Any

import pytest

from app.search.similar import similar_documents
from indexer.errors import NotFoundError, QueryError
from indexer.storage.filters.where import Path

# tests/app/search/conftest.py, loaded under its own name: `conftest` is that of tests/.
Plant = Any

PLANTED = {
    "/given": [("g1", 1.0), ("g2", 1.0)],
    "/far": [("f1", 0.1), ("f2", -0.5)],
    "/near": [("n1", -0.9), ("n2", 0.8)],
    "/nearest": [("m1", 0.95)],
}


def found(collection: Any, document_id: int, k: int = 10, **options: Any) -> list[tuple[str, str]]:
    with collection.snapshot() as now:
        similar = similar_documents(now, document_id, k, **options)
        chunks = now.chunks([one.chunk_id for one in similar])
        assert [one.score for one in similar] == sorted(
            (one.score for one in similar), reverse=True
        )
        assert [one.document_id for one in similar] == [
            chunks[one.chunk_id].document_id for one in similar
        ]
    return [(chunks[one.chunk_id].path.decode(), chunks[one.chunk_id].text) for one in similar]


def test_others_by_their_best_chunk_without_itself(plant: Plant) -> None:
    collection = plant("one", PLANTED)
    assert found(collection, 1) == [("/nearest", "m1"), ("/near", "n2"), ("/far", "f1")]
    assert found(collection, 1, k=1) == [("/nearest", "m1")]
    assert found(collection, 1, where=Path("/*ar")) == [("/near", "n2"), ("/far", "f1")]
    assert found(collection, 1, where=Path("/given")) == []


def test_direction_is_the_mean_of_all_chunks(plant: Plant) -> None:
    """Each chunk alone is nearer to another document than to the one between them."""
    planted = {
        "/given": [("first", 0.8), ("second", 0.8)],  # to either side of the axis
        "/axis": [("axis", 1.0)],
        "/one-side": [("side", 0.0)],
    }
    assert found(plant("one", planted), 1)[0] == ("/axis", "axis")


def test_long_document_does_not_crowd_out_the_others(plant: Plant) -> None:
    planted = {
        "/given": [(f"g{n}", 0.9) for n in range(40)],
        "/other": [("o1", 0.2)],
        "/many": [(f"m{n}", 0.5) for n in range(40)],
    }
    names = [path for path, _ in found(plant("one", planted), 1, k=2)]
    assert sorted(names) == ["/many", "/other"]


def test_chunks_that_cancel_out_leave_the_first_ones_direction(plant: Plant) -> None:
    planted = {"/given": [("plus", 1.0), ("minus", -1.0)], "/like": [("like", 0.9)]}
    assert found(plant("one", planted), 1) == [("/like", "like")]


def test_what_is_not_there_or_not_possible_is_said(plant: Plant) -> None:
    with plant("one", PLANTED).snapshot() as now:
        with pytest.raises(NotFoundError, match="no document 99"):
            similar_documents(now, 99, 10)
        with pytest.raises(QueryError, match="k = 0"):
            similar_documents(now, 1, 0)
