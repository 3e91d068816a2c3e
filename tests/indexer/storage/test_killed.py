"""kill -9 at random moments of commit and sync: nothing confirmed is lost, nothing half there."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from indexer.storage.check import check
from indexer.types import Changes

VICTIM = Path(__file__).with_name("kill_victim.py")
ROOT = Path(__file__).parents[3]


def run_and_kill(folder: Path, first: int, steps: int, after_s: float) -> int:
    """Last confirmed step, or `first - 1`; the blow falls after so many and some time more."""
    process = subprocess.Popen(
        [sys.executable, str(VICTIM), str(folder), str(first)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    lines = [process.stdout.readline() for _ in range(steps)]
    time.sleep(after_s)
    process.kill()
    lines += process.stdout.read().splitlines()
    process.wait()
    process.stdout.close()
    return int(lines[-1]) if lines else first - 1


def expected(last: int) -> dict[str, list[str]]:
    """{path: texts} after the steps 0..last."""
    files: dict[str, list[str]] = {}
    for step in range(last + 1):
        files.update({f"/{step}/{i}": [f"step {step} file {i}", "shared"] for i in range(4)})
        files[f"/{step - 1}/0"] = [f"step {step - 1} file 0 changed", "shared"]
        files.pop(f"/{step - 2}/1", None)
    return files


def content(world: Any) -> dict[str, list[str]]:
    with world.reader() as reader, reader.snapshot() as now:
        found: dict[str, list[str]] = {}
        for line in now.documents(limit=100_000):
            document = now.document(line.id)
            ids = [passage.id for passage in document.chunks]
            found[line.path.decode()] = [c.text for c in now.chunks(ids).values()]
        return found


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_writer_loses_nothing_confirmed_and_leaves_no_half(world: Any) -> None:
    dice = random.Random(7)
    first = 0
    for _ in range(20):
        confirmed = run_and_kill(world.folder, first, dice.randrange(4), dice.uniform(0, 0.05))
        found = content(world)
        # The kill may fall between the commit and its report: one step more is right too.
        last = confirmed if found == expected(confirmed) else confirmed + 1
        assert found == expected(last)
        query = f"step {last} file 2"
        if last >= 0:
            assert world.nearest(query) == [query]
            assert world.lexical(f"{last} 2", 200).count(query) == 1
        with world.writer() as writer:
            writer.sync()
        assert check(world.folder) == []
        first = last + 1
    assert first > 20


def test_writer_killed_between_lexical_commit_and_manifest_counts_nothing_twice(
    world: Any, monkeypatch: Any
) -> None:
    world.add(world.file("/a", "alpha oak"))
    with monkeypatch.context() as patch:
        patch.setattr("indexer.storage.lexical.LexicalWriter._save_manifest", _die)
        with world.writer() as writer:
            writer.commit(world.adding(world.file("/b", "beta oak")))
            with pytest.raises(KeyboardInterrupt):
                writer.sync()
    assert sorted(world.lexical("oak")) == ["alpha oak", "beta oak"]
    with world.writer() as writer:
        writer.sync()
    assert check(world.folder) == []


def test_writer_killed_between_rows_and_manifest_leaves_the_old_state(
    world: Any, monkeypatch: Any
) -> None:
    world.add(world.file("/a", "alpha"))
    with monkeypatch.context() as patch:
        patch.setattr("indexer.storage.vectors.layout.RowsManifest.write", _die)
        with world.writer() as writer:
            writer.commit(Changes(removed=(b"/a",)))
            writer.commit(world.adding(world.file("/b", "beta")))
            with pytest.raises(KeyboardInterrupt):
                writer.sync()
    assert check(world.folder) == ["vectors: the copy is at generation 1 of 3"]
    assert world.nearest("beta", 5) == ["beta"]


def _die(*_: object) -> None:
    raise KeyboardInterrupt
