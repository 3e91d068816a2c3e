"""The kept file of fields: it saves reading the catalog, and never changes an answer."""

import shutil
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import pytest

from indexer.storage import catalog
from indexer.storage.check import check
from indexer.storage.commit import Writer
from indexer.storage.filters.fields import FieldTable
from indexer.storage.filters.kept_fields import FILE, read_fields
from indexer.storage.filters.where import Path
from indexer.types import Changes

KEPT, DROPPED = Path("/keep/*"), Path("/drop/*")


def flip(path: FilePath, where: float) -> None:
    data = bytearray(path.read_bytes())
    data[min(int(len(data) * where), len(data) - 1)] ^= 0x10
    path.write_bytes(data)


HARM: dict[str, Callable[[FilePath], None]] = {
    **{f"flipped at {part}": lambda path, part=part: flip(path, part) for part in (0, 0.1, 0.5, 1)},
    "header flipped": lambda path: path.write_bytes(
        path.read_bytes().replace(b"format", b"farmot")
    ),
    "emptied": lambda path: path.write_bytes(b""),
    "only a checksum": lambda path: path.write_bytes(path.read_bytes()[:32]),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-8]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0" * 24),
    "missing": lambda path: path.unlink(),
}


@pytest.fixture
def large(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """40 files of two chunks, kept as if they were many."""
    monkeypatch.setattr("indexer.storage.filters.kept_fields._FEW", 20)
    world.add(*files(world, range(40)))
    assert (world.folder / FILE).exists()
    return world


def files(world: Any, numbers: range) -> list[Any]:
    return [
        world.file(f"/{'drop' if i % 4 else 'keep'}/{i}.md", f"word {i}", f"other {i}")
        for i in numbers
    ]


def found(world: Any, where: Path) -> set[str]:
    """Texts of all chunks that the filter lets through."""
    with world.reader() as reader, reader.snapshot() as now:
        hits = now.dense(world.vector_of("q"), 1_000, where)
        return {chunk.text for chunk in now.chunks([hit.chunk_id for hit in hits]).values()}


def texts(numbers: range, *, kept: bool) -> set[str]:
    return {f"{word} {i}" for i in numbers for word in ("word", "other") if bool(i % 4) != kept}


def kept_generation(world: Any) -> int | None:
    with world.reader() as reader, reader.snapshot() as now:
        table = read_fields(world.folder, now.head)
    return None if table is None else table.generation


def test_first_filter_of_a_process_reads_the_file_and_not_the_catalog(
    large: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise AssertionError("chunks were read from the catalog")

    monkeypatch.setattr(FieldTable, "_read", refuse)
    assert found(large, KEPT) == texts(range(40), kept=True)
    assert found(large, DROPPED) == texts(range(40), kept=False)


def test_file_behind_the_catalog_is_caught_up(large: Any) -> None:
    at = kept_generation(large)
    large.add(*files(large, range(40, 48)))
    large.commit(Changes(removed=(b"/keep/0.md", b"/drop/41.md")))
    assert kept_generation(large) == at, "few chunks are not worth writing all anew"
    assert check(large.folder) == []
    assert found(large, KEPT) == texts(range(1, 48), kept=True)
    assert found(large, DROPPED) == texts(range(48), kept=False) - {"word 41", "other 41"}
    large.add(*files(large, range(48, 60)))
    assert kept_generation(large) == (at or 0) + 3, "by now they are"
    assert found(large, KEPT) == texts(range(1, 60), kept=True)
    assert check(large.folder) == []


def test_file_is_written_anew_before_the_catalog_forgets_what_was_removed(
    large: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.storage.filters.kept_fields._OLD", 2)
    for i in range(4):
        large.commit(Changes(removed=(f"/drop/{4 * i + 1}.md".encode(),)))
    with large.reader() as reader:
        assert reader.generation - (kept_generation(large) or 0) <= 2
    assert found(large, DROPPED) == texts(range(40), kept=False) - {
        f"{word} {i}" for word in ("word", "other") for i in (1, 5, 9, 13)
    }


def test_file_too_old_to_be_caught_up_is_not_used(
    large: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.storage.commit.KEPT_REMOVALS", 1)
    monkeypatch.setattr("indexer.storage.filters.kept_fields._OLD", 100)
    for i in range(4):
        large.commit(Changes(removed=(f"/drop/{4 * i + 1}.md".encode(),)))
    with large.reader() as reader, reader.snapshot() as now:
        assert now.head.removals_from > (kept_generation(large) or 0)
    assert len(found(large, DROPPED)) == 2 * (30 - 4)


@pytest.mark.parametrize("harm", HARM)
def test_damaged_file_answers_nothing_and_is_mended(large: Any, harm: str) -> None:
    HARM[harm](large.folder / FILE)
    assert kept_generation(large) is None
    expected = [] if harm == "missing" else ["fields: the copy is damaged"]
    assert check(large.folder) == expected
    assert found(large, KEPT) == texts(range(40), kept=True)
    large.commit(Changes())
    assert kept_generation(large) == 1
    assert check(large.folder) == []


def test_damaged_file_of_a_small_collection_goes(
    large: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(large.folder / FILE, 0.5)
    monkeypatch.setattr("indexer.storage.filters.kept_fields._FEW", 1_000)
    large.commit(Changes())
    assert not (large.folder / FILE).exists()


def test_restored_catalog_does_not_take_over_the_file_of_its_lost_future(
    large: Any, tmp_path: FilePath
) -> None:
    """Once it has grown past it, ids in the file would mean other chunks."""
    shutil.copy(large.folder / "catalog.sqlite3", tmp_path / "backup")
    large.add(*files(large, range(40, 60)))
    future = (large.folder / FILE).read_bytes()
    for path in large.folder.glob("catalog.sqlite3*"):
        path.unlink()
    shutil.copy(tmp_path / "backup", large.folder / "catalog.sqlite3")
    assert found(large, KEPT) == texts(range(40), kept=True), "it is ahead"
    with large.writer():
        assert not (large.folder / FILE).exists()
    for i in range(100, 108):
        large.add(*files(large, range(i, i + 1)))
    assert (large.folder / FILE).read_bytes() != future
    assert found(large, KEPT) == texts(range(40), kept=True) | texts(range(100, 108), kept=True)


def test_emptied_collection_leaves_no_file_behind(large: Any) -> None:
    with large.reader() as reader, reader.snapshot() as now:
        before = catalog.head(now.connection).uuid
    with Writer.open(large.folder, large.make_contract(model="another"), reembed=True) as writer:
        assert not (large.folder / FILE).exists()
        writer.sync()
    with large.reader() as reader, reader.snapshot() as now:
        assert now.head.uuid != before
