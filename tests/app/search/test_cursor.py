"""Pages: each continues the one before, whatever was committed in between."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.search.cursor import Shown, read_cursor, write_cursor
from app.search.query import MAX_K, Mode, Query
from app.search.service import SearchService
from indexer.errors import QueryError

# tests/app/search/conftest.py, loaded under its own name: `conftest` is that of tests/.
AxisEmbedder = Any
Plant = Any

IDS = st.frozensets(st.integers(1, 2**63 - 1), max_size=50)
ASKED = Query("heron", Mode.DENSE, k=3)


@given(st.dictionaries(st.text(), IDS.filter(bool), max_size=3), st.text(min_size=1))
def test_cursor_round_trip(documents: dict[str, frozenset[int]], text: str) -> None:
    query = Query(text)
    cursor = write_cursor(query, documents, Shown(documents))
    assert read_cursor(replace(query, cursor=cursor), documents) == Shown(documents)


@given(st.text() | st.text("ABCDEFabcdef0123456789-_="))
def test_cursor_of_any_text_is_refused_not_a_fault(text: str) -> None:
    with pytest.raises(QueryError, match="not one of ours"):
        read_cursor(Query("heron", cursor=text), ["one"])


@pytest.mark.parametrize(
    ("query", "collections"),
    [
        (Query("bittern", Mode.DENSE), ["one"]),
        (Query("heron", Mode.LEXICAL), ["one"]),
        (Query("heron", Mode.DENSE, instruction="Find birds"), ["one"]),
        (Query("heron", Mode.DENSE, where="tag:a"), ["one"]),
        (Query("heron", Mode.DENSE), ["one", "two"]),
    ],
)
def test_cursor_of_another_query_is_refused(query: Query, collections: list[str]) -> None:
    cursor = write_cursor(ASKED, ["one"], Shown({"one": frozenset({1})}))
    with pytest.raises(QueryError, match="belongs to another query"):
        read_cursor(replace(query, cursor=cursor), collections)


def test_cursor_ends_at_the_most_that_is_given() -> None:
    assert write_cursor(ASKED, ["one"], Shown({"one": frozenset(range(1, MAX_K + 1))})) is None


@pytest.fixture
def service(axis_embedder: AxisEmbedder) -> SearchService:
    embedder = axis_embedder()
    return SearchService(lambda _contract: embedder)


def pages(service: SearchService, query: Query, collections: Any) -> list[list[str]]:
    """Names of the hits, page by page, until there is no next."""
    found = []
    while True:
        answer = service.search(query, collections)
        found.append([Path(hit.chunk.path.decode()).name for hit in answer.hits])
        if answer.next is None:
            return found
        query = replace(query, cursor=answer.next)


@pytest.mark.parametrize("mode", Mode)
def test_pages_are_the_one_long_answer_cut_up(
    plant: Plant, service: SearchService, mode: Mode
) -> None:
    planted = {f"/{i:02}": [("heron " * (i % 5 + 1) + f"{i}", 0.9 - i / 50)] for i in range(20)}
    one = plant("one", planted)
    two = plant("two", {f"/other {i}": [(f"heron {i}", 0.85 - i / 30)] for i in range(9)})
    both = {"one": one, "two": two}
    (whole,) = pages(service, Query("heron", mode, k=50), both)
    assert len(whole) == 29
    cut = pages(service, Query("heron", mode, k=4), both)
    assert [len(page) for page in cut] == [4] * 7 + [1]
    assert [name for page in cut for name in page] == whole


def test_ranks_go_on_over_pages(plant: Plant, service: SearchService) -> None:
    one = {"one": plant("one", {f"/{i}": [(f"text {i}", 0.9 - i / 10)] for i in range(5)})}
    first = service.search(ASKED, one)
    second = service.search(replace(ASKED, cursor=first.next), one)
    assert [hit.rank for hit in (*first.hits, *second.hits)] == [1, 2, 3, 4, 5]


def test_next_page_after_a_commit_repeats_nothing_and_loses_nothing(
    plant: Plant, service: SearchService
) -> None:
    """By offset, three new best hits would push the first page's onto the second."""
    old = {f"/{i}": [(f"text {i}", 0.9 - i / 10)] for i in range(6)}
    collection = plant("one", old)
    first = service.search(ASKED, {"one": collection})
    plant("one", {f"/new {i}": [(f"new {i}", 0.95 + i / 100)] for i in range(3)})
    rest = pages(service, replace(ASKED, cursor=first.next), {"one": collection})
    assert [name for page in rest for name in page] == ["new 2", "new 1", "new 0", "3", "4", "5"]
