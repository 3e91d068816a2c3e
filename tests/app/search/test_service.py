"""Ranking: documents by their best chunk, several collections as one list."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.search.answer import Answer
from app.search.query import MAX_QUERY_CHARS, Mode, Query
from app.search.service import SearchService
from indexer.errors import QueryError
from indexer.types import Contract, FileStamp, Kind, ScoredChunk, StoredChunk, StoredFile

# tests/app/search/conftest.py, loaded under its own name: `conftest` is that of tests/.
AxisEmbedder = Any
Plant = Any


@pytest.fixture
def embedder(axis_embedder: AxisEmbedder) -> AxisEmbedder:
    return axis_embedder()


@pytest.fixture
def service(embedder: AxisEmbedder) -> SearchService:
    return SearchService(lambda _contract: embedder)


def names(answer: Answer) -> list[str]:
    return [Path(hit.chunk.path.decode()).name for hit in answer.hits]


def scores(answer: Answer) -> list[float]:
    return [round(hit.score, 2) for hit in answer.hits]


def test_search_ranks_documents_by_their_best_chunk(plant: Plant, service: SearchService) -> None:
    collection = plant(
        "one",
        {"/a": [("a1", 0.3), ("a2", 0.8)], "/b": [("b1", 0.7), ("b2", 0.6)], "/c": [("c1", 0.5)]},
    )
    answer = service.search(Query("anything", k=3, mode=Mode.DENSE), {"one": collection})
    assert names(answer) == ["a", "b", "c"]
    assert scores(answer) == [0.8, 0.7, 0.5]
    assert [hit.chunk.text for hit in answer.hits] == ["a2", "b1", "c1"]
    assert [hit.rank for hit in answer.hits] == [1, 2, 3]


def test_search_gives_k_documents_though_one_owns_all_first_chunks(
    plant: Plant, service: SearchService
) -> None:
    long = [(f"long {i}", 0.95 - i / 1000) for i in range(100)]
    collection = plant("one", {"/long": long, "/b": [("b1", 0.5)], "/c": [("c1", 0.4)]})
    assert names(service.search(Query("anything", k=3, mode=Mode.DENSE), {"one": collection})) == [
        "long",
        "b",
        "c",
    ]
    assert names(service.search(Query("anything", k=2, mode=Mode.DENSE), {"one": collection})) == [
        "long",
        "b",
    ]
    assert names(service.search(Query("anything", k=50, mode=Mode.DENSE), {"one": collection})) == [
        "long",
        "b",
        "c",
    ]


def test_search_lexical_gives_k_documents_though_one_owns_all_first_chunks(
    plant: Plant, service: SearchService
) -> None:
    long = [("heron heron heron " * 3 + f"{i}", 0.1) for i in range(60)]
    tail = [("a heron once, among many other words that say nothing of it", 0.1)]
    collection = plant("one", {"/long": long, "/b": tail})
    found = service.search(Query("heron", k=2, mode=Mode.LEXICAL), {"one": collection})
    assert names(found) == ["long", "b"]


def test_search_drops_chunks_that_are_gone(service: SearchService, contract: Contract) -> None:
    """A copy may still name a chunk that the catalog no longer has."""
    live = StoredChunk(7, 3, b"/b", "", "", "text", 0, "b1", 0, 2, 1, 1, (), "")
    now = SimpleNamespace(
        head=SimpleNamespace(contract=contract),
        dense=lambda *_: [ScoredChunk(6, 0.9), ScoredChunk(7, 0.4)],
        documents_of=lambda _ids: ({7: 3}, {3: StoredFile(FileStamp(b"/b", 1, 1, b""), "")}),
        chunks=lambda ids: {7: live} if 7 in ids else {},
    )

    @contextmanager
    def snapshot() -> Iterator[Any]:
        yield now

    collection: Any = SimpleNamespace(contract=contract, snapshot=snapshot, instruction=None)
    answer = service.search(Query("anything", k=5, mode=Mode.DENSE), {"one": collection})
    assert [(hit.rank, hit.chunk.text, hit.score) for hit in answer.hits] == [(1, "b1", 0.4)]


def test_search_merges_collections_of_one_contract_by_score(
    plant: Plant, service: SearchService
) -> None:
    first = plant("first", {"/a": [("a1", 0.9)], "/b": [("b1", 0.5)]})
    second = plant("second", {"/c": [("c1", 0.7)], "/d": [("d1", 0.6)]})
    answer = service.search(
        Query("anything", k=3, mode=Mode.DENSE), {"first": first, "second": second}
    )
    assert names(answer) == ["a", "c", "d"]
    assert [hit.collection for hit in answer.hits] == ["first", "second", "second"]


def test_search_merges_collections_of_two_contracts_by_rank(
    plant: Plant, service: SearchService, other_contract: Contract
) -> None:
    """Cosines of two models do not compare: the second model's weak scores must not lose."""
    first = plant("first", {"/a": [("a1", 0.9)], "/b": [("b1", 0.8)]})
    second = plant("second", {"/c": [("c1", 0.2)], "/d": [("d1", 0.1)]}, other_contract)
    answer = service.search(
        Query("anything", k=4, mode=Mode.DENSE), {"second": second, "first": first}
    )
    assert names(answer) == ["a", "c", "b", "d"]
    assert [hit.rank for hit in answer.hits] == [1, 2, 3, 4]


def test_search_lexical_merges_collections_by_rank(plant: Plant, service: SearchService) -> None:
    """BM25 depends on the collection's own word counts, so its scores do not compare either."""
    rare = [("a heron", 0.1)]
    first = plant("first", {"/a": rare, **{f"/x{i}": [(f"filler {i}", 0.1)] for i in range(30)}})
    second = plant("second", {"/c": [("heron heron", 0.1)], "/d": [("a heron and a bittern", 0.1)]})
    answer = service.search(
        Query("heron", k=3, mode=Mode.LEXICAL), {"second": second, "first": first}
    )
    assert names(answer) == ["a", "c", "d"]


def test_search_embeds_the_query_as_query_with_its_instruction(
    plant: Plant, service: SearchService, embedder: AxisEmbedder
) -> None:
    collection = plant("one", {"/a": [("a1", 0.9)]})
    service.search(Query("  where? ", instruction="Find places"), {"one": collection})
    assert embedder.seen == [("  where? ", Kind.QUERY, "Find places")]


def test_search_lexical_asks_for_no_embedder(plant: Plant) -> None:
    def refuse(_contract: Contract) -> Any:
        raise AssertionError("lexical search asked for a model")

    collection = plant("one", {"/a": [("a heron stands", 0.9)]})
    answer = SearchService(refuse).search(Query("heron", mode=Mode.LEXICAL), {"one": collection})
    assert names(answer) == ["a"]


def test_search_after_reembedding_uses_the_new_model_at_once(
    plant: Plant, axis_embedder: AxisEmbedder, contract: Contract, other_contract: Contract
) -> None:
    """The open reader knew the old contract: its vector over the new vectors ranks at random."""
    by_contract = {
        contract.fingerprint: axis_embedder(0),
        other_contract.fingerprint: axis_embedder(5),
    }
    service = SearchService(lambda wanted: by_contract[wanted.fingerprint])
    reader = plant("one", {"/a": [("a1", 0.9)], "/b": [("b1", 0.1)]}, contract)
    assert names(service.search(Query("anything", mode=Mode.DENSE), {"one": reader})) == ["a", "b"]
    planted = {"/a": [("a1", 0.1)], "/b": [("b1", 0.9)]}
    plant("one", planted, other_contract, asked=5, reembed=True)
    answer = service.search(Query("anything", mode=Mode.DENSE), {"one": reader})
    assert names(answer) == ["b", "a"]
    assert scores(answer) == [0.9, 0.1]


@pytest.mark.parametrize("mode", Mode)
def test_search_of_an_empty_collection_finds_nothing(
    plant: Plant, service: SearchService, mode: Mode
) -> None:
    assert service.search(Query("anything", mode=mode), {"one": plant("one", {})}).hits == ()


@pytest.mark.parametrize(
    ("query", "options", "words"),
    [
        ("", {}, "query is empty"),
        (" \n\t", {}, "query is empty"),
        ("x" * (MAX_QUERY_CHARS + 1), {}, "32,769 characters; at most 32,768"),
        ("x", {"k": 0}, "k = 0"),
        ("x", {"mode": Mode.LEXICAL, "instruction": "Find"}, "lexical search uses none"),
    ],
)
def test_search_bad_query_is_refused_before_any_work(
    plant: Plant,
    service: SearchService,
    embedder: AxisEmbedder,
    query: str,
    options: Any,
    words: str,
) -> None:
    collection = plant("one", {"/a": [("a1", 0.9)]})
    with pytest.raises(QueryError, match=words):
        service.search(Query(query, **options), {"one": collection})
    assert embedder.seen == []


def test_answer_to_dict_is_the_documented_shape(plant: Plant, service: SearchService) -> None:
    collection = plant("one", {"/a\udcff.md": [("first ", 0.1), ("second", 0.9)]})
    values = service.search(Query("q", k=1, mode=Mode.DENSE), {"one": collection}).to_dict()
    assert (values["query"], values["mode"]) == ("q", "dense")
    assert (values["degraded"], values["degraded_reason"]) == (False, None)
    (hit,) = values["hits"]
    assert hit["parts"] == {"dense": hit["score"], "lexical": None, "rerank": None}
    assert hit["document"]["path"] == "/a\\xff.md"
    assert hit["score"] == pytest.approx(0.9, abs=1e-3)
    chunk = {key: hit["chunk"][key] for key in ("text", "start", "end", "start_line", "heading")}
    expected = {"text": "second", "start": 6, "end": 12, "start_line": 2, "heading": "Part"}
    assert chunk == expected
