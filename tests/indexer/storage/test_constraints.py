"""Phrases and exclusions decide before the k nearest are taken, as filters do."""

import itertools
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.storage.collection import Collection
from indexer.storage.filters.where import Path
from indexer.storage.lexical_query import Constraints, parse_query
from indexer.types import Changes

VOCABULARY = ("red", "apple", "pie", "東京", "c++")
# Every text of three words, in two folders, some with punctuation and line breaks between them.
TEXTS = {
    f"/{'odd' if i % 2 else 'even'}/{i}": (" ", ", ", "\n -- ")[i % 3].join(words)
    for i, words in enumerate(itertools.product(VOCABULARY, repeat=3))
}
FOLDERS = st.sampled_from([None, Path("/odd/*"), Path("/even/*"), Path("/none/*")])
PHRASES = st.lists(
    st.lists(
        st.sampled_from(["red", "apple", "pie", "東", "京", "c++", "c"]), min_size=1, max_size=3
    ),
    max_size=2,
)


@pytest.fixture(scope="module")
def shelf(
    tmp_path_factory: pytest.TempPathFactory, world_at: Any
) -> Iterator[tuple[Any, Collection]]:
    world = world_at(tmp_path_factory.mktemp("constraints") / "collection")
    world.add(*(world.file(path, text) for path, text in TEXTS.items()))
    with world.reader() as reader:
        yield world, reader


def holds(text: str, constraints: Constraints) -> bool:
    """By looking at the text, whose words these are."""
    for mark in (",", "--", "\n"):
        text = text.replace(mark, " ")
    said = f" {' '.join(text.replace('東京', '東 京').split())} "
    return all(f" {' '.join(p)} " in said for p in constraints.phrases) and not any(
        f" {' '.join(p)} " in said for p in constraints.excluded
    )


def test_dense_search_gives_the_k_nearest_that_hold(shelf: tuple[Any, Collection]) -> None:
    world, reader = shelf
    query = world.vector_of("q")
    stored = {t: world.vector_of(t).astype(np.float16).astype(np.float32) for t in TEXTS.values()}
    nearest = sorted(TEXTS, key=lambda path: -float(stored[TEXTS[path]] @ query))

    @settings(max_examples=150, deadline=None)
    @given(PHRASES, PHRASES, FOLDERS, st.integers(1, 140))
    def check(phrases: Any, excluded: Any, where: Path | None, k: int) -> None:
        constraints = Constraints(tuple(map(tuple, phrases)), tuple(map(tuple, excluded)))
        folder = "/" if where is None else where.pattern.rstrip("*")
        expected = [
            path for path in nearest if holds(TEXTS[path], constraints) and path.startswith(folder)
        ]
        hits = reader.dense(query, k, where, constraints)
        chunks = reader.chunks([hit.chunk_id for hit in hits])
        assert [chunk.path.decode() for chunk in chunks.values()] == expected[:k]

    check()


@pytest.mark.parametrize("where", [None, Path("/odd/*")])
@pytest.mark.parametrize("few", [0, 2_000])
def test_lexical_search_gives_k_that_hold(
    shelf: tuple[Any, Collection], where: Path | None, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.storage.snapshot._FEW_CHUNKS", few)
    _, reader = shelf
    query = parse_query('"red apple" pie c -東京')
    hits = reader.lexical(query, 50, where)
    found = {chunk.path.decode() for chunk in reader.chunks([h.chunk_id for h in hits]).values()}
    holding = {path for path, text in TEXTS.items() if holds(text, query.constraints)}
    assert found == {path for path in holding if where is None or path.startswith("/odd")}


def nearest_under(reader: Any, world: Any, query: str) -> set[str]:
    constraints = parse_query(query).constraints
    hits = reader.dense(world.vector_of("q"), 9, constraints=constraints)
    return {chunk.path.decode() for chunk in reader.chunks([h.chunk_id for h in hits]).values()}


def test_chunks_that_the_copy_does_not_hold_yet_are_not_found(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(world.file("/old", "red apple"), world.file("/pie", "pie"))
    # No writer brings the copy forward, nor does a reader.
    monkeypatch.setattr("indexer.storage.commit.Writer._sync_lexical", lambda _: None)
    monkeypatch.setattr("indexer.storage.shared_lexical.repair_lexical", lambda _: False)
    with world.writer() as writer:
        writer.commit(world.adding(world.file("/new", "red apple too"), world.file("/n", "pie 2")))
        with world.reader() as reader:
            assert nearest_under(reader, world, '"red apple"') == {"/old"}
            assert nearest_under(reader, world, "x -apple") == {"/pie"}


def test_copy_ahead_of_the_reader_does_not_let_unknown_chunks_through(world: Any) -> None:
    """What a newer commit removed is gone from the copy, but not from this reader's catalog."""
    world.add(world.file("/a", "red apple"), world.file("/b", "pie"))
    with world.reader() as reader, reader.snapshot() as now:
        with world.writer() as writer:
            writer.commit(Changes(removed=(b"/a",)))
            writer.sync()
        constraints = parse_query("x -apple").constraints
        hits = now.dense(world.vector_of("q"), 9, constraints=constraints)
        chunks = now.chunks([hit.chunk_id for hit in hits])
        assert [chunk.path for chunk in chunks.values()] == [b"/b"]


def test_without_a_lexical_copy_nothing_is_known_to_hold(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(world.file("/a", "red apple"))
    (world.folder / "lexical.json").unlink()
    monkeypatch.setattr("indexer.storage.shared_lexical.repair_lexical", lambda _: False)
    with world.reader() as reader:
        assert nearest_under(reader, world, "x -pie") == set()


def test_excluding_in_an_empty_collection_gives_nothing(world: Any, tmp_path: FilePath) -> None:
    with world.writer() as writer:
        writer.sync()
    with world.reader() as reader:
        assert nearest_under(reader, world, "x -pie") == set()
        assert nearest_under(reader, world, '"x pie"') == set()
