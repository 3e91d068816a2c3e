"""Hybrid search: both scores of every candidate, and an answer by words when the model is away."""

from pathlib import Path
from typing import Any

import pytest

from app.search import service as service_module
from app.search.answer import Answer
from app.search.fusion import DENSE_WEIGHT, FULL_MATCH
from app.search.query import Mode, Query
from app.search.service import RETRY_AFTER_S, SearchService
from indexer.errors import ContractError, ModelError, PlacementError, SemsearchError, UsageError
from indexer.types import Contract

# tests/app/search/conftest.py, loaded under its own name: `conftest` is that of tests/.
AxisEmbedder = Any
Plant = Any


@pytest.fixture
def service(axis_embedder: AxisEmbedder) -> SearchService:
    embedder = axis_embedder()
    return SearchService(lambda _contract: embedder)


def names(answer: Answer) -> list[str]:
    return [Path(hit.chunk.path.decode()).name for hit in answer.hits]


def test_hybrid_is_the_default_and_finds_by_meaning_and_by_words(
    plant: Plant, service: SearchService
) -> None:
    planted = {
        "/meant": [("a wading bird", 0.9)],
        "/said": [("the heron stands", 0.1)],
        "/both": [("a heron, a wading bird of the reeds", 0.6)],
        "/neither": [("a spanner", 0.2)],
    }
    collection = plant("one", planted)
    answer = service.search(Query("heron"), {"one": collection})
    assert (answer.mode, answer.degraded) == (Mode.HYBRID, False)
    assert names(answer) == ["both", "meant", "said", "neither"]
    best = max(hit.lexical for hit in answer.hits if hit.lexical is not None)
    with collection.snapshot() as now:  # the best match counts in full
        assert best > FULL_MATCH * now.lexical_weight("heron")
    for hit in answer.hits:
        assert hit.dense is not None
        assert hit.lexical is not None
        expected = DENSE_WEIGHT * hit.dense + (1 - DENSE_WEIGHT) * hit.lexical / best
        assert hit.score == pytest.approx(expected)
    assert [round(hit.dense or 0, 2) for hit in answer.hits] == [0.6, 0.9, 0.1, 0.2]
    assert [bool(hit.lexical) for hit in answer.hits] == [True, False, True, False]
    for k in (1, 2, 3):
        assert names(service.search(Query("heron", k=k), {"one": collection})) == names(answer)[:k]


def test_hybrid_scores_what_the_other_search_did_not_reach(
    plant: Plant, service: SearchService
) -> None:
    """A missing score is looked up: one place behind the last candidate is not nowhere."""
    fillers = {f"/f{i}": [(f"spanner {i}", 0.8 - i / 1000)] for i in range(150)}
    words = {f"/w{i}": [("heron heron heron", 0.0)] for i in range(150)}
    planted = {
        "/said": [("heron heron heron heron", 0.6)],
        "/meant": [("a heron among very many other words that speak of other things", 0.95)],
    }
    answer = service.search(
        Query("heron", k=3), {"one": plant("one", {**fillers, **words, **planted})}
    )
    parts = {Path(hit.chunk.path.decode()).name: hit for hit in answer.hits}
    assert round(parts["said"].dense or 0, 2) == 0.6
    assert (parts["meant"].lexical or 0) > 0


def test_hybrid_gives_k_documents_though_one_owns_all_first_chunks(
    plant: Plant, service: SearchService
) -> None:
    long = [(f"heron {i}", 0.95 - i / 1000) for i in range(300)]
    planted = {"/long": long, "/b": [("b1", 0.5)], "/c": [("c1", 0.4)]}
    answer = service.search(Query("heron", k=3), {"one": plant("one", planted)})
    assert names(answer) == ["long", "b", "c"]


def test_hybrid_gives_a_poor_match_of_words_little_weight(
    plant: Plant, service: SearchService
) -> None:
    """The best of the chunks with "is", where nothing holds the words that matter."""
    collection = plant(
        "one",
        {
            "/tea": [("green tea is brewed", 0.2)],
            "/apple": [("apples grow on trees", 0.45)],
            **{f"/x{i}": [(f"it is said {i}", 0.0)] for i in range(20)},
        },
    )
    answer = service.search(Query("when is fruit harvested?", k=2), {"one": collection})
    assert names(answer) == ["apple", "tea"]


def test_hybrid_does_not_prefer_a_collection_for_matching_a_common_word(
    plant: Plant, service: SearchService
) -> None:
    filler = {f"/x{i}": [(f"a spanner {i}", 0.0)] for i in range(40)}
    first = plant("first", {**filler, "/right": [("the heron and the bittern", 0.5)]})
    second = plant("second", {"/wrong": [("the spanner", 0.5)]})
    answer = service.search(
        Query("heron or bittern, spanner", k=2), {"second": second, "first": first}
    )
    assert names(answer) == ["right", "wrong"]
    assert answer.hits[0].score > answer.hits[1].score + 0.1


def test_hybrid_merges_collections_of_two_contracts_by_rank(
    plant: Plant, service: SearchService, other_contract: Contract
) -> None:
    first = plant("first", {"/a": [("a1", 0.9)], "/b": [("b1", 0.8)]})
    second = plant("second", {"/c": [("c1", 0.2)], "/d": [("d1", 0.1)]}, other_contract)
    answer = service.search(Query("anything", k=4), {"second": second, "first": first})
    assert names(answer) == ["a", "c", "b", "d"]


CONSTRAINED = {
    "/near": [("a red pie of apple", 0.9), ("a red cart", 0.85)],
    "/phrase": [("the red, ripe apple", 0.2), ("nothing", 0.8)],
    "/twice": [("a ripe\napple and cream", 0.1)],
    **{f"/x{i}": [(f"spanner {i}", 0.7 - i / 1000)] for i in range(120)},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('"ripe apple" red', {"phrase", "twice"}),
        ('red "ripe apple" -cream', {"phrase"}),
        ('"apple pie" red', set()),
        ("red apple -ripe -spanner", {"near"}),
    ],
)
@pytest.mark.parametrize("mode", Mode)
def test_phrases_and_exclusions_hold_for_meaning_as_for_words(
    plant: Plant, axis_embedder: AxisEmbedder, mode: Mode, query: str, found: set[str]
) -> None:
    embedder = axis_embedder()
    collection = plant("one", CONSTRAINED)
    service = SearchService(lambda _contract: embedder)
    answer = service.search(Query(query, mode, 9), {"one": collection})
    by_meaning = {"phrase"} if mode is not Mode.LEXICAL and "-spanner" in query else set()
    assert set(names(answer)) == found | by_meaning
    shown = [hit.chunk.text for hit in answer.hits]
    assert not ("-ripe" in query and any("ripe" in text for text in shown))


def test_query_is_embedded_without_its_marks_and_exclusions(
    plant: Plant, axis_embedder: AxisEmbedder
) -> None:
    embedder = axis_embedder()
    service = SearchService(lambda _contract: embedder)
    answer = service.search(Query('red "ripe apple"  -cream'), {"one": plant("one", CONSTRAINED)})
    assert [text for text, _, _ in embedder.seen] == ["red ripe apple"]
    assert answer.query == 'red "ripe apple"  -cream'


class Unreachable:
    """Gives no embedder, or one that fails; counts how often it was asked."""

    mode = "cpu:fp32"

    def __init__(self, error: SemsearchError, *, when_embedding: bool = False) -> None:
        self.error = error
        self.when_embedding = when_embedding
        self.asked = 0

    def __call__(self, _contract: Contract) -> Any:
        self.asked += 1
        if not self.when_embedding:
            raise self.error
        return self

    def embed(self, *_arguments: object) -> Any:
        raise self.error


PLANTED = {"/a": [("a heron stands", 0.1)], "/b": [("a spanner", 0.9)]}


@pytest.mark.parametrize("when_embedding", [False, True])
@pytest.mark.parametrize("error", [ModelError("no hub"), PlacementError("no endpoint")])
def test_hybrid_without_a_model_is_answered_by_words_and_says_why(
    plant: Plant, error: SemsearchError, when_embedding: bool
) -> None:
    service = SearchService(Unreachable(error, when_embedding=when_embedding))
    collection = plant("one", PLANTED)
    answer = service.search(Query("heron", instruction="Find birds"), {"one": collection})
    assert names(answer) == ["a"]
    assert (answer.mode, answer.degraded_reason) == (Mode.LEXICAL, str(error))
    (hit,) = answer.hits
    assert (hit.dense, hit.lexical) == (None, hit.score)
    values = answer.to_dict()
    assert (values["mode"], values["degraded"]) == ("lexical", True)
    with pytest.raises(type(error), match=str(error)):
        service.search(Query("heron", mode=Mode.DENSE), {"one": collection})


@pytest.mark.parametrize("error", [ContractError("two models"), UsageError("no instruction")])
def test_hybrid_with_a_wrong_model_or_request_is_refused(
    plant: Plant, error: SemsearchError
) -> None:
    """Out of reach passes; wrong does not, and must not hide behind an answer."""
    service = SearchService(Unreachable(error))
    with pytest.raises(type(error), match=str(error)):
        service.search(Query("heron"), {"one": plant("one", PLANTED)})


def test_model_out_of_reach_is_not_asked_for_by_every_query(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(service_module.time, "monotonic", lambda: now[0])
    models = Unreachable(ModelError("no hub"))
    service, collection = SearchService(models), plant("one", PLANTED)
    for _ in range(5):
        answer = service.search(Query("heron"), {"one": collection})
        assert answer.degraded_reason == "no hub"
    assert models.asked == 1
    now[0] += RETRY_AFTER_S + 0.1
    assert service.search(Query("heron"), {"one": collection}).degraded
    assert models.asked == 2


HOSTILE = ['"', "zz AND", "NOT", "(", "*", "zz:b^2", "\0", "\ud800", "?!", "~" * 999, "x" * 30_000]


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_hybrid_takes_any_string_as_a_query(
    plant: Plant, service: SearchService, query: str
) -> None:
    """No words of it are found, so the meaning alone ranks."""
    planted = {"/far": [("heron", 0.2)], "/near": [("bittern", 0.8)]}
    answer = service.search(Query(query), {"one": plant("one", planted)})
    assert names(answer) == ["near", "far"]
    assert [hit.lexical for hit in answer.hits] == [0, 0]
    assert answer.hits[0].score == pytest.approx(DENSE_WEIGHT * 0.8, abs=1e-3)
