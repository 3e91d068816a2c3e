"""Whatever happens to a copy on disk: no wrong answer, and the next sync mends it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indexer.storage.check import check

TEXTS = [
    f"text number {i} about {word}"
    for i, word in enumerate(["elm", "oak", "ash", "fir", "yew"] * 6)
]
QUERY = "oak"


def flip(path: Path, where: float) -> None:
    data = bytearray(path.read_bytes())
    data[min(int(len(data) * where), len(data) - 1)] ^= 0x10
    path.write_bytes(data)


def truncate(path: Path, keep: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0" * 7)


HARM: dict[str, Callable[[Path], None]] = {
    "first byte flipped": lambda path: flip(path, 0),
    "early byte flipped": lambda path: flip(path, 0.1),
    "middle byte flipped": lambda path: flip(path, 0.5),
    "late byte flipped": lambda path: flip(path, 0.9),
    "last byte flipped": lambda path: flip(path, 1),
    "emptied": lambda path: truncate(path, 0),
    "half": lambda path: truncate(path, 0.5),
    "cut at the end": lambda path: truncate(path, 0.99),
    "longer": grow,
    "missing": lambda path: path.unlink(),
}
SEGMENT = ("idx", "term", "fast", "fieldnorm", "store")
VECTORS = ("rows", "map")
TARGETS = (*VECTORS, "vectors.json", "lexical.json", "lexical/meta.json", *SEGMENT)


def target_of(folder: Path, target: str) -> Path:
    if target in SEGMENT:
        return sorted((folder / "lexical").glob(f"*.{target}"))[0]
    if target in VECTORS:
        return next(folder.glob(f"vectors-*.{target}"))
    return folder / target


def vector_files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("vectors*") if path.is_file()]


def answers(world: Any) -> tuple[list[str], list[str]]:
    return world.nearest(TEXTS[7], 3), sorted(world.lexical(QUERY, 50))


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_copy_never_answers_wrongly_and_is_mended(
    world: Any, target: str, tmp_path: Path
) -> None:
    world.add(*(world.file(f"/{i}.md", text) for i, text in enumerate(TEXTS)))
    good = answers(world)
    assert good[0][0] == TEXTS[7]
    assert good[1] == sorted(text for text in TEXTS if QUERY in text)
    shutil.copytree(world.folder, tmp_path / "good")
    for name, harm in HARM.items():
        shutil.rmtree(world.folder)
        shutil.copytree(tmp_path / "good", world.folder)
        harm(target_of(world.folder, target))
        # Readers take the lexical meta from its manifest; rows beyond the count are what a killed
        # writer leaves.
        if target != "lexical/meta.json" and (target, name) != ("rows", "longer"):
            assert check(world.folder), f"{target} {name} was not noticed"
        assert answers(world) == good, f"{target} {name} gave a wrong answer"
        with world.writer() as writer:
            writer.commit(world.adding(world.file("/new", "fresh")))
            writer.sync()
        assert check(world.folder) == [], f"{target} {name} was not mended"


def test_copies_swapped_with_another_collections_are_found(make_world: Any) -> None:
    mine, other = make_world("mine"), make_world("other")
    mine.add(mine.file("/a", "alpha oak"), mine.file("/b", "beta"))
    other.add(other.file("/a", "gamma oak"), other.file("/b", "delta"))
    for path in vector_files(mine.folder):
        path.unlink()
    for path in vector_files(other.folder):
        shutil.copyfile(path, mine.folder / path.name)
    shutil.copyfile(other.folder / "lexical.json", mine.folder / "lexical.json")
    shutil.rmtree(mine.folder / "lexical")
    shutil.copytree(other.folder / "lexical", mine.folder / "lexical")
    assert len(check(mine.folder)) == 2
    assert mine.nearest("alpha oak", 5)[0] == "alpha oak"
    assert mine.lexical("oak") == ["alpha oak"]
    with mine.writer() as writer:
        writer.sync()
    assert check(mine.folder) == []


def test_only_the_vectors_file_swapped_is_found(make_world: Any) -> None:
    mine, other = make_world("mine"), make_world("other")
    mine.add(mine.file("/a", "alpha"))
    other.add(other.file("/a", "gamma"))
    shutil.copyfile(target_of(other.folder, "rows"), target_of(mine.folder, "rows"))
    assert check(mine.folder) == ["vectors: the copy is missing or damaged"]
    with mine.reader() as reader:
        assert reader.dense(mine.vector_of("alpha"), 1)[0].score == pytest.approx(1, abs=1e-3)


def test_older_copies_under_a_newer_catalog_are_caught_up(world: Any, tmp_path: Path) -> None:
    world.add(world.file("/a", "alpha oak"), world.file("/b", "beta"))
    shutil.copytree(world.folder, tmp_path / "old")
    world.add(world.file("/a", "gamma oak"), world.file("/c", "delta"))
    for path in vector_files(world.folder):
        path.unlink()
    for path in (*vector_files(tmp_path / "old"), tmp_path / "old" / "lexical.json"):
        shutil.copyfile(path, world.folder / path.name)
    shutil.rmtree(world.folder / "lexical")
    shutil.copytree(tmp_path / "old" / "lexical", world.folder / "lexical")
    assert world.nearest("gamma oak") == ["gamma oak"]
    assert "alpha oak" not in world.nearest("alpha oak", 9)
    assert world.lexical("oak") == ["gamma oak"]


def test_copies_ahead_of_a_restored_catalog_are_dropped(world: Any, tmp_path: Path) -> None:
    world.add(world.file("/a", "alpha oak"))
    shutil.copyfile(world.folder / "catalog.sqlite3", tmp_path / "backup")
    world.add(world.file("/b", "beta oak"))
    shutil.copyfile(tmp_path / "backup", world.folder / "catalog.sqlite3")
    world.add(world.file("/c", "gamma oak"))
    assert check(world.folder) == []
    assert sorted(world.lexical("oak")) == ["alpha oak", "gamma oak"]
    assert world.nearest("gamma oak") == ["gamma oak"]


def test_damaged_catalog_is_named_with_a_next_step(world: Any) -> None:
    from indexer.errors import CorruptError

    world.add(world.file("/a", "alpha"))
    path = world.folder / "catalog.sqlite3"
    path.write_bytes(b"not a database at all" * 1000)
    for attempt in (world.reader, world.writer):
        with pytest.raises(CorruptError, match="the catalog is damaged .* backup"):
            attempt()
