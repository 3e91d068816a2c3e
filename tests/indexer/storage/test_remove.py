"""Deleting a collection: all of it, not while another writes, never half of it."""

import os
from pathlib import Path
from typing import Any

import pytest

from indexer.errors import LockedError, NotFoundError, StoreError
from indexer.storage.collection import Collection
from indexer.storage.remove import delete_collection


def test_delete_removes_the_folder_and_nothing_beside_it(world: Any, make_world: Any) -> None:
    world.add(world.file("/a", "alpha"))
    other = make_world("other")
    other.add(other.file("/b", "beta"))
    delete_collection(world.folder)
    assert sorted(path.name for path in world.folder.parent.iterdir()) == ["other"]
    assert other.nearest("beta") == ["beta"]
    with pytest.raises(NotFoundError, match="no collection here"):
        world.reader()


def test_delete_then_add_starts_empty(world: Any) -> None:
    world.add(world.file("/a", "alpha"))
    delete_collection(world.folder)
    world.add(world.file("/b", "beta"))
    assert world.nearest("beta", k=10) == ["beta"]
    assert world.lexical("alpha") == []


def test_delete_while_another_writes_is_refused_and_changes_nothing(world: Any) -> None:
    world.add(world.file("/a", "alpha"))
    with world.writer():
        with pytest.raises(LockedError, match=f"process {os.getpid()} is writing") as refused:
            delete_collection(world.folder)
        assert refused.value.holder_pid == os.getpid()
    assert world.nearest("alpha") == ["alpha"]


def test_delete_leaves_an_open_reader_its_answers(world: Any) -> None:
    world.add(world.file("/a", "alpha"))
    with world.reader() as reader:
        (hit,) = reader.dense(world.vector_of("alpha"), 1)
        delete_collection(world.folder)
        assert reader.chunks([hit.chunk_id])[hit.chunk_id].text == "alpha"


@pytest.mark.parametrize("step", ["rename", "rmtree"])
def test_delete_that_fails_names_the_folder_and_lets_the_next_writer_in(
    world: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    world.add(world.file("/a", "alpha"))

    def fail(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied", str(world.folder))

    with monkeypatch.context() as patch:
        if step == "rename":
            patch.setattr(Path, "rename", fail)
        else:
            patch.setattr("indexer.storage.remove.shutil.rmtree", fail)
        with pytest.raises(StoreError, match=f"{world.folder}: cannot be deleted: .*denied"):
            delete_collection(world.folder)
    if step == "rename":
        assert world.nearest("alpha") == ["alpha"]
    else:
        # Killed or stopped half-way it is no collection any more, so no one opens half of one.
        assert not world.folder.exists()
        (left,) = world.folder.parent.glob(".deleted-*")
        with Collection.open(left) as reader:
            assert reader.status().documents == 1
    world.add(world.file("/b", "beta"))


def test_delete_of_nothing_is_not_found(tmp_path: Path) -> None:
    """The lock file cannot be made in a folder that is not there."""
    with pytest.raises(NotFoundError, match=f"{tmp_path}/nope: no collection here"):
        delete_collection(tmp_path / "nope")
    assert list(tmp_path.iterdir()) == []
