"""Collections by name: opened once, found again after they were deleted and made anew."""

import threading
from pathlib import Path
from typing import Any

import pytest

from app.search.collections import Collections
from app.settings import Settings
from indexer.errors import NotFoundError, UsageError
from indexer.storage.remove import delete_collection

Plant = Any


@pytest.fixture
def collections(home: Path, tmp_path: Path) -> Collections:
    """Over a home whose collections folder is where `plant` makes them."""
    settings = Settings.load()
    home.mkdir()
    settings.collections_folder.symlink_to(tmp_path)
    return Collections(settings)


def texts(collections: Collections, name: str, word: str) -> list[str]:
    opened = collections.get(name)
    hits = opened.lexical(word, 10)
    return [opened.chunks([hit.chunk_id])[hit.chunk_id].text for hit in hits]


def test_collections_are_listed_sorted_and_other_folders_are_not(
    collections: Collections, plant: Plant, tmp_path: Path
) -> None:
    assert collections.names() == []
    plant("zebra", {"/a": [("a heron", 0.5)]})
    plant("ant", {"/a": [("a heron", 0.5)]})
    (tmp_path / "no-collection").mkdir()
    assert collections.names() == ["ant", "zebra"]


def test_collections_without_a_home_are_none(home: Path) -> None:
    assert Collections(Settings.load()).names() == []


def test_collection_is_opened_once_also_from_many_threads(
    collections: Collections, plant: Plant
) -> None:
    plant("one", {"/a": [("a heron", 0.5)]})
    seen: list[object] = []
    threads = [
        threading.Thread(target=lambda: seen.append(collections.get("one"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len({id(collection) for collection in seen}) == 1
    collections.close()


def test_collection_unknown_name_lists_those_there_are(
    collections: Collections, plant: Plant
) -> None:
    with pytest.raises(NotFoundError, match=r"no collection 'nope' .* There are none yet\..*index"):
        collections.get("nope")
    plant("ant", {})
    plant("bee", {})
    with pytest.raises(NotFoundError, match="There are: ant, bee"):
        collections.get("nope")


@pytest.mark.parametrize("name", ["../evil", "", ".hidden", "a/b", "a\\b", "a\n", "x" * 101, "ä"])
def test_collection_name_never_leads_elsewhere(collections: Collections, name: str) -> None:
    with pytest.raises(UsageError, match="no collection name"):
        collections.get(name)


def test_collection_deleted_while_open_is_not_found(collections: Collections, plant: Plant) -> None:
    plant("one", {"/a": [("a heron", 0.5)]}).close()
    assert texts(collections, "one", "heron") == ["a heron"]
    delete_collection(collections.folder("one"))
    with pytest.raises(NotFoundError, match="'one'"):
        collections.get("one")


def test_collection_deleted_and_made_anew_answers_from_the_new_one(
    collections: Collections, plant: Plant
) -> None:
    """A service kept answering from the deleted file, which lives on while it is open."""
    plant("one", {"/a": [("a heron", 0.5)]}).close()
    assert texts(collections, "one", "heron") == ["a heron"]
    delete_collection(collections.folder("one"))
    plant("one", {"/b": [("a bittern", 0.5)]})
    assert texts(collections, "one", "heron") == []
    assert texts(collections, "one", "bittern") == ["a bittern"]
    collections.close()
