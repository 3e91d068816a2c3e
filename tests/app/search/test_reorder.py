"""Reranking within a search: the order changes, the rest of the answer tells what happened."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.search.query import Mode, Query
from app.search.rerank import Reranking
from app.search.service import SearchService
from app.search.stages import Stage, Stages
from indexer.errors import ModelError, QueryError, UsageError
from indexer.reranking.base import Reranker

# tests/app/search/conftest.py, loaded under its own name: `conftest` is that of tests/.
AxisEmbedder = Any
Plant = Any

PLANTED = {f"/{i}": [(f"text {i} of ten", 0.9 - i / 20)] for i in range(10)}


class Backwards(Reranker):
    """Thinks more of a text the higher the number in it; remembers what it read."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.asked: list[tuple[str, str | None]] = []

    name = "backwards"
    max_tokens = None
    takes_instruction = True

    def logits(self, query: str, texts: Sequence[str], instruction: str | None = None) -> Any:
        return self.scores(query, texts, instruction)

    def scores(self, query: str, texts: Sequence[str], instruction: str | None = None) -> Any:
        self.read += texts
        self.asked.append((query, instruction))
        return np.array([int(text.split("text ")[1].split()[0]) / 10 for text in texts])

    def probabilities(
        self, query: str, texts: Sequence[str], instruction: str | None = None
    ) -> Any:
        return self.scores(query, texts, instruction)

    def token_counts(
        self, query: str, texts: Sequence[str], instruction: str | None = None
    ) -> list[int]:
        return [10 for _ in texts]

    def close(self) -> None:
        pass


@pytest.fixture
def reranker() -> Backwards:
    return Backwards()


@pytest.fixture
def service(axis_embedder: AxisEmbedder, reranker: Backwards) -> SearchService:
    embedder, reranking = axis_embedder(), Reranking(reranker, depth=4)
    return SearchService(lambda _contract: embedder, reranking=lambda: reranking)


def names(answer: Any) -> list[str]:
    return [Path(hit.chunk.path.decode()).name for hit in answer.hits]


def test_read_documents_come_first_by_the_rerankers_score(
    plant: Plant, service: SearchService, reranker: Backwards
) -> None:
    one = {"one": plant("one", PLANTED)}
    query = Query('"text" -absent', Mode.DENSE, k=6, rerank=True, instruction="Find texts")
    answer = service.search(query, one)
    assert names(answer) == ["3", "2", "1", "0", "4", "5"]
    assert [hit.rerank for hit in answer.hits] == [0.3, 0.2, 0.1, 0.0, None, None]
    assert [hit.rank for hit in answer.hits] == [1, 2, 3, 4, 5, 6]
    assert reranker.asked == [("text", "Find texts")]
    assert reranker.read[0] == "A title > Part\n\ntext 0 of ten"
    values = answer.to_dict()["rerank"]
    assert (values["reranker"], values["reranked"], values["candidates"]) == ("backwards", 4, 7)
    assert (values["skipped"], values["reason"]) == (3, None)


def test_few_hits_are_chosen_from_all_that_were_read(plant: Plant, service: SearchService) -> None:
    one = {"one": plant("one", PLANTED)}
    answer = service.search(Query("text", Mode.DENSE, k=2, rerank=True), one)
    assert names(answer) == ["3", "2"]
    assert answer.next is not None


def test_without_a_wish_nothing_is_reranked(
    plant: Plant, service: SearchService, reranker: Backwards
) -> None:
    answer = service.search(Query("text", Mode.DENSE, k=2), {"one": plant("one", PLANTED)})
    assert (names(answer), reranker.read) == (["0", "1"], [])
    assert answer.to_dict()["rerank"] is None
    assert answer.hits[0].to_dict("text")["parts"]["rerank"] is None


def test_reranker_out_of_reach_leaves_the_order_and_says_why(
    plant: Plant, axis_embedder: AxisEmbedder, reranker: Backwards, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, embedder = {"one": plant("one", PLANTED)}, axis_embedder()

    def gone() -> Reranking:
        raise ModelError("no hub")

    def fails(*_arguments: object) -> Any:
        raise ModelError("not finite")

    monkeypatch.setattr(reranker, "scores", fails)
    for reranking, reason in ((gone, "no hub"), (lambda: Reranking(reranker), "not finite")):
        service = SearchService(lambda _contract: embedder, reranking=reranking)
        answer = service.search(Query("text", Mode.DENSE, k=3, rerank=True), one)
        assert names(answer) == ["0", "1", "2"]
        values = answer.to_dict()["rerank"]
        assert (values["reranked"], values["reason"]) == (0, reason)


def test_wish_to_rerank_where_none_is_set_is_refused(
    plant: Plant, axis_embedder: AxisEmbedder
) -> None:
    embedder = axis_embedder()
    service = SearchService(lambda _contract: embedder)
    with pytest.raises(UsageError, match="reranker"):
        service.search(Query("text", rerank=True), {"one": plant("one", PLANTED)})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"budget_s": 0.2}, "Ask for reranking"),
        ({"budget_s": 0.0, "rerank": True}, "budget of 0 ms"),
        ({"budget_s": 601.0, "rerank": True}, "budget of 601,000 ms"),
    ],
)
def test_budget_that_makes_no_sense_is_refused(options: Any, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        Query("q", **options).check()


def test_stages_tell_where_the_time_went(plant: Plant, service: SearchService) -> None:
    stages = Stages()
    query = Query("text", k=2, rerank=True)
    answer = service.search(query, {"one": plant("one", PLANTED)}, stages)
    wanted = {Stage.DENSE, Stage.LEXICAL, Stage.FETCH, Stage.RERANK}
    assert wanted <= set(stages.result().seconds)
    assert set(answer.timing_ms) == {str(stage) for stage in stages.result().seconds}
