"""Which mode made which vectors, through removals, re-embedding and interrupted runs."""

from dataclasses import replace
from typing import Any

from indexer.modes import Mode, Placement, Precision
from indexer.storage.commit import Writer
from indexer.types import Changes

BF16 = Mode(Placement.GPU, Precision.BF16)
INT8 = Mode(Placement.CPU, Precision.INT8)


def add(world: Any, mode: Mode | None, *files: Any) -> None:
    with world.writer() as writer:
        writer.commit(replace(world.adding(*files), mode=mode))


def seen(world: Any) -> tuple[dict[str, int], frozenset[str]]:
    """(vectors by mode, modes)."""
    with world.reader() as reader, reader.snapshot() as now:
        modes = now.modes()
    with world.reader() as reader:
        return dict(reader.status().modes), modes


def test_vectors_are_counted_by_the_mode_that_made_them(world: Any) -> None:
    add(world, BF16, world.file("/a", "one", "two", "three"))
    add(world, INT8, world.file("/b", "four"))
    add(world, INT8, world.file("/c", "five", "one"))  # "one" is stored already
    add(world, BF16, world.file("/d", "six"))
    assert seen(world) == ({"gpu:bf16": 4, "cpu:int8": 2}, {"gpu:bf16", "cpu:int8"})


def test_removed_vectors_are_not_counted(world: Any) -> None:
    add(world, BF16, world.file("/a", "one", "two"))
    add(world, INT8, world.file("/b", "three"))
    with world.writer() as writer:
        writer.commit(Changes(removed=(b"/a",)))
    assert seen(world)[0] == {"cpu:int8": 1}


def test_vectors_of_an_unrecorded_mode_are_unknown(world: Any) -> None:
    add(world, None, world.file("/a", "one"))
    assert seen(world) == ({"unknown": 1}, {"unknown"})
    add(world, INT8, world.file("/b", "two", "three"))
    assert seen(world) == ({"cpu:int8": 2, "unknown": 1}, {"unknown", "cpu:int8"})
    add(world, None, world.file("/c", "four"))
    assert seen(world)[0] == {"unknown": 2, "cpu:int8": 2}


def test_empty_collection_has_no_modes(world: Any) -> None:
    world.writer().close()
    assert seen(world) == ({}, frozenset())


def test_embedding_anew_forgets_the_old_modes(world: Any) -> None:
    add(world, BF16, world.file("/a", "one"))
    other = world.make_contract(model="test/other")
    with Writer.open(world.folder, other, reembed=True) as writer:
        writer.commit(replace(world.adding(world.file("/a", "one")), mode=INT8))
    assert seen(world) == ({"cpu:int8": 1}, {"cpu:int8"})


def test_staged_vectors_serve_only_the_mode_that_made_them(world: Any) -> None:
    key, vector = world.key_of("one"), world.vector_of("one")
    with world.writer() as writer:
        writer.stage({key: vector}, BF16)
        assert list(writer.staged([key], BF16)) == [key]
        assert writer.staged([key], INT8) == {}
        writer.stage({key: vector}, INT8)
        assert list(writer.staged([key], INT8)) == [key]
