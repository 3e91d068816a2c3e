"""Readers beside a writer: every answer from one generation, never an error, soon up to date."""

import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

from indexer.storage.commit import Writer
from indexer.types import Changes

ROOT = Path(__file__).parents[3]
TOGETHER = 6


def group(world: Any, step: int) -> tuple[Any, ...]:
    """Files that always change together: every chunk says the step."""
    return tuple(
        world.file(f"/{i}", f"step {step} part {i}", f"constant {i}") for i in range(TOGETHER)
    )


def observe(reader: Any, world: Any) -> set[str]:
    """The steps seen in one snapshot by vectors, by words, and by listing."""
    with reader.snapshot() as now:
        dense = now.dense(world.vector_of("anything"), 100)
        words = now.lexical("step part", 100)
        chunks = now.chunks([hit.chunk_id for hit in (*dense, *words)])
        assert set(chunks) == {hit.chunk_id for hit in (*dense, *words)}, "a hit without its chunk"
        assert len(dense) == 2 * TOGETHER
        listed = [now.document(d.id).text for d in now.documents()]
        texts = [c.text for c in chunks.values()] + [t.split("constant")[0] for t in listed]
    return {text.split()[1] for text in texts if text.startswith("step")}


def test_readers_in_threads_see_one_generation_while_a_writer_works(world: Any) -> None:
    world.add(*group(world, 0))
    stop, problems, seen = threading.Event(), [], set()

    def read() -> None:
        try:
            while not stop.is_set():
                steps = observe(reader, world)
                seen.update(steps)
                if len(steps) != 1:
                    problems.append(f"mixed generations {steps}")
        except Exception as error:
            problems.append(repr(error))

    with world.reader() as reader, world.writer() as writer:
        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 2
        step = 0
        while time.monotonic() < deadline and not problems:
            step += 1
            writer.commit(world.adding(*group(world, step)))
            if step % 5 == 0:
                writer.sync()
        stop.set()
        for thread in threads:
            thread.join()
        assert problems == []
        assert observe(reader, world) == {str(step)}
        assert len(seen) > 3


READER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from conftest import World
    from test_concurrent import observe
    world = World(Path(sys.argv[2]))
    with world.reader() as reader:
        print("ready", flush=True)
        seen = set()
        for _ in range(60):
            steps = observe(reader, world)
            assert len(steps) == 1, steps
            seen |= steps
        print(len(seen))
    """
)


def test_reader_in_another_process_sees_one_generation_while_a_writer_works(world: Any) -> None:
    world.add(*group(world, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", READER, str(Path(__file__).parent), str(world.folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    with world.writer() as writer:
        step = 0
        while process.poll() is None:
            step += 1
            writer.commit(world.adding(*group(world, step)))
            if step % 7 == 0:
                writer.sync()
    output, errors = process.communicate()
    assert errors == ""
    assert int(output) > 1


def test_open_reader_sees_a_commit_at_once_and_its_words_after_the_lag(
    world: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("indexer.storage.commit.LEXICAL_LAG_S", 0.0)
    world.add(world.file("/a", "alpha"))
    with world.reader() as reader, world.writer() as writer:
        assert reader.dense(world.vector_of("beta"), 1)[0].chunk_id == 1
        assert reader.lexical("beta", 1) == []
        assert reader.refresh() is False
        writer.commit(world.adding(world.file("/b", "beta")))
        assert reader.refresh() is True
        assert reader.refresh() is False
        assert reader.dense(world.vector_of("beta"), 1)[0].chunk_id == 2
        assert [hit.chunk_id for hit in reader.lexical("beta", 1)] == [2]


def test_snapshot_keeps_its_generation_while_others_move_on(world: Any) -> None:
    world.add(world.file("/a", "alpha"), world.file("/b", "beta"))
    with world.reader() as reader, reader.snapshot() as old, world.writer() as writer:
        assert len(old.dense(world.vector_of("alpha"), 5)) == 2
        writer.commit(Changes(removed=(b"/a",)))
        writer.commit(world.adding(world.file("/c", "gamma")))
        writer.sync()
        with reader.snapshot() as new:
            assert {hit.chunk_id for hit in new.dense(world.vector_of("alpha"), 5)} == {2, 3}
        assert [hit.chunk_id for hit in old.dense(world.vector_of("alpha"), 5)][0] == 1
        assert {hit.chunk_id for hit in old.dense(world.vector_of("alpha"), 5)} == {1, 2}


def test_snapshot_older_than_the_first_loaded_vectors_still_gets_its_own(world: Any) -> None:
    world.add(world.file("/a", "alpha"), world.file("/b", "beta"))
    with world.reader() as reader, reader.snapshot() as old, world.writer() as writer:
        writer.commit(Changes(removed=(b"/a",)))
        writer.sync()
        assert reader.dense(world.vector_of("alpha"), 5)[0].chunk_id == 2
        assert {hit.chunk_id for hit in old.dense(world.vector_of("alpha"), 5)} == {1, 2}


def test_emptied_collection_is_noticed_by_an_open_reader(world: Any) -> None:
    world.add(world.file("/a", "alpha"))
    with world.reader() as reader:
        assert len(reader.dense(world.vector_of("alpha"), 5)) == 1
        world.contract = world.make_contract(model="other")
        with Writer.open(world.folder, world.contract, reembed=True) as writer:
            writer.commit(world.adding(world.file("/b", "beta")))
            writer.sync()
        assert [hit.chunk_id for hit in reader.dense(world.vector_of("beta"), 5)] == [2]
        assert reader.lexical("alpha", 5) == []
        assert reader.contract.model == "other"
