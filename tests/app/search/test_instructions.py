"""The task of a query: the query's own, a preset by name, the collection's, or the model's."""

from pathlib import Path
from typing import Any

import pytest

from app.search.instructions import PRESETS, instruction_of
from app.search.query import Mode, Query
from app.search.query_text import QueryText
from app.search.service import SearchService
from indexer.storage.query_wishes import FILE, QueryWishes
from indexer.types import Kind

# tests/app/search/conftest.py, loaded under its own name: `conftest` is that of tests/.
AxisEmbedder = Any
Plant = Any


def test_presets_are_found_by_name_and_sentences_stand() -> None:
    assert instruction_of(None) is None
    assert instruction_of(" Code ") == PRESETS["code"]
    assert instruction_of("Find code like this") == "Find code like this"
    assert {name.removesuffix("-zh") for name in PRESETS} == {"web", "code", "qa", "duplicates"}
    for name, text in PRESETS.items():
        assert len(text.splitlines()) == 1
        assert text.isascii() != name.endswith("-zh")


@pytest.mark.parametrize(
    ("own", "kept", "expected"),
    [
        (None, None, None),
        (None, "Find birds", "Find birds"),
        ("qa", "Find birds", PRESETS["qa"]),
        ("Find fish", None, "Find fish"),
    ],
)
def test_querys_own_task_beats_the_collections(
    own: str | None, kept: str | None, expected: str | None
) -> None:
    text = QueryText.of(Query("heron", instruction=own), kept)
    assert text == QueryText("heron", Kind.QUERY, expected)


def test_passage_goes_without_a_task() -> None:
    passage = QueryText.of(Query('"A heron"', Mode.DENSE, kind=Kind.DOCUMENT), "Find birds")
    assert passage == QueryText('"A heron"', Kind.DOCUMENT, None)


def test_search_embeds_with_the_task_that_the_collection_keeps(
    plant: Plant, axis_embedder: AxisEmbedder, tmp_path: Path
) -> None:
    embedder = axis_embedder()
    service = SearchService(lambda _contract: embedder)
    one = {"one": plant("one", {"/a": [("text", 0.5)]})}
    QueryWishes("Find birds").keep(tmp_path / "one")
    service.search(Query("heron"), one)
    service.search(Query("heron", instruction="web"), one)
    service.search(Query("heron", Mode.LEXICAL), one)
    QueryWishes(None).keep(tmp_path / "one")
    service.search(Query("heron"), one)
    tasks = [instruction for _, _, instruction in embedder.seen]
    assert tasks == ["Find birds", PRESETS["web"], None]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "instruction": 3}', "\0"])
def test_what_cannot_be_read_keeps_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert QueryWishes.kept(tmp_path) == QueryWishes(None)
