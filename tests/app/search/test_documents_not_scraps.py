"""What an answer shows of a document besides its best chunk."""

import os
from pathlib import Path
from typing import Any

import pytest

from app.search.file_state import FileState, file_state
from app.search.query import MAX_MORE, MAX_NEIGHBOURS, Mode, Query
from app.search.service import SearchService
from indexer.errors import QueryError
from indexer.types import FileStamp

# tests/app/search/conftest.py, loaded under its own name: `conftest` is that of tests/.
AxisEmbedder = Any
Plant = Any

LONG = [("first", 0.2), ("second", 0.9), ("third", 0.8), ("fourth", 0.7), ("fifth", 0.6)]


@pytest.fixture
def service(axis_embedder: AxisEmbedder) -> SearchService:
    embedder = axis_embedder()
    return SearchService(lambda _contract: embedder)


def test_further_matches_come_best_first_and_no_more_than_asked(
    plant: Plant, service: SearchService
) -> None:
    collection = plant("one", {"/long": LONG})
    for more, texts in ((0, []), (2, ["third", "fourth"]), (9, ["third", "fourth", "fifth"])):
        answer = service.search(Query("q", Mode.DENSE, more=more), {"one": collection})
        (hit,) = answer.hits
        assert hit.chunk.text == "second"
        assert [match.chunk.text for match in hit.more] == texts
    assert [round(match.score, 2) for match in hit.more] == [0.8, 0.7, 0.6]


def test_neighbours_stand_before_and_after_the_best_chunk(
    plant: Plant, service: SearchService
) -> None:
    collection = plant("one", {"/long": LONG, "/short": [("alone", 0.5)]})
    query = Query("q", Mode.DENSE, more=0, neighbours=2)
    long, short = service.search(query, {"one": collection}).hits
    assert [chunk.text for chunk in long.before] == ["first"]
    assert [chunk.text for chunk in long.after] == ["third", "fourth"]
    assert (short.before, short.after) == ((), ())


def test_documents_of_the_same_content_are_one_hit(plant: Plant, service: SearchService) -> None:
    collection = plant(
        "one",
        {"/a": [("same", 0.9)], "/b": [("same", 0.9)], "/c": [("same", 0.9)], "/d": [("no", 0.1)]},
        same=("/a", "/b", "/c"),
    )
    for k in (1, 2, 5):
        answer = service.search(Query("q", Mode.DENSE, k), {"one": collection})
        assert [hit.chunk.path for hit in answer.hits] == [b"/a", b"/d"][:k]
        assert [other.path for other in answer.hits[0].duplicates] == [b"/b", b"/c"]
        assert (answer.next is None) == (k > 1)
    values = answer.to_dict()["hits"][0]["duplicates"]
    assert [value["path"] for value in values] == ["/b", "/c"]


def test_file_state_tells_what_became_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("text")
    now = file.stat()
    stamp = FileStamp(os.fsencode(file), now.st_size, now.st_mtime_ns, b"")
    assert file_state(stamp) is FileState.SAME
    file.write_text("longer text")
    assert file_state(stamp) is FileState.CHANGED
    file.unlink()
    assert file_state(stamp) is FileState.MISSING
    beneath_a_file = FileStamp(os.fsencode(Path(__file__) / "a"), 1, 1, b"")
    assert file_state(beneath_a_file) is FileState.MISSING
    assert file_state(FileStamp(b"\0no path", 1, 1, b"")) is None
    assert file_state(FileStamp(b"/\0", 1, 1, b"")) is FileState.UNKNOWN


def test_snippet_offsets_count_code_points_of_its_text(
    plant: Plant, service: SearchService
) -> None:
    text = "\N{HERB}\N{FAMILY} 👩‍👩‍👧 the heron stands"
    collection = plant("one", {"/a": [(text, 0.5)]})
    (hit,) = service.search(Query("heron"), {"one": collection}).to_dict()["hits"]
    cut = hit["snippet"]
    assert [cut["text"][start:end] for start, end in cut["matches"]] == ["heron"]
    assert text[cut["start"] :].startswith(cut["text"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"more": -1}, "more = -1: give a number from 0 to 20"),
        ({"more": MAX_MORE + 1}, "more = 21"),
        ({"neighbours": MAX_NEIGHBOURS + 1}, "neighbours = 11"),
        ({"k": 1001}, "k = 1,001: give a number from 1 to 1,000"),
        ({"instruction": "x" * 2001}, "2,001 characters; at most 2,000"),
    ],
)
def test_query_out_of_bounds_is_refused(options: Any, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        Query("q", **options).check()
