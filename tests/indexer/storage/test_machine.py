"""Random histories of a collection against a dict and a numpy brute force."""

import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from indexer.storage.check import check
from indexer.types import Changes

PATHS = st.sampled_from(["/a.md", "/b.md", "/d/a.md", "/d/b.md", "/d/e/c.md"])
WORDS = ["elm", "oak", "ash", "fir"]
TEXTS = st.lists(st.sampled_from([f"{a} {b}" for a in WORDS for b in WORDS]), max_size=4)


class Machine(RuleBasedStateMachine):
    world: ClassVar[Any]  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.world.folder = Path(tempfile.mkdtemp()) / "c"
        self.files: dict[str, list[str]] = {}
        self.ids: dict[str, int] = {}  # documents keep theirs
        self.writer = self.world.writer()
        self.reader = self.world.reader()

    def teardown(self) -> None:
        self.reader.close()
        self.writer.sync()
        self.writer.close()
        assert check(self.world.folder) == []
        shutil.rmtree(self.world.folder.parent)

    @rule(path=PATHS, texts=TEXTS)
    def put(self, path: str, texts: list[str]) -> None:
        self.writer.commit(self.world.adding(self.world.file(path, *texts)))
        self.files[path] = texts

    @rule(path=PATHS, other=PATHS, texts=TEXTS)
    def put_and_remove(self, path: str, other: str, texts: list[str]) -> None:
        changes = self.world.adding(self.world.file(path, *texts))
        self.writer.commit(
            Changes(files=changes.files, vectors=changes.vectors, removed=(other.encode(),))
        )
        self.files.pop(other, None)
        self.ids.pop(other, None)
        self.files[path] = texts

    @precondition(lambda self: self.files)
    @rule(data=st.data(), to=PATHS)
    def move(self, data: Any, to: str) -> None:
        source = data.draw(st.sampled_from(sorted(self.files)))
        self.writer.commit(Changes(moved=((source.encode(), self.world.stamp(to)),)))
        self.files[to] = self.files.pop(source)
        self.ids.pop(to, None)
        if source in self.ids:
            self.ids[to] = self.ids.pop(source)

    @rule(under=st.sampled_from(["/a.md", "/d", "/d/e", "/nothing", "/"]))
    def remove(self, under: str) -> None:
        self.writer.remove(under.encode())
        inside = under.rstrip("/") + "/"
        gone = [p for p in self.files if p == under or p.startswith(inside)]
        for path in gone:
            del self.files[path]
            self.ids.pop(path, None)

    @rule()
    def sync(self) -> None:
        self.writer.sync()
        assert check(self.world.folder) == []

    @rule()
    def reopen_writer(self) -> None:
        self.writer.close()
        self.writer = self.world.writer()

    @rule()
    def reopen_reader(self) -> None:
        self.reader.close()
        self.reader = self.world.reader()

    @rule(word=st.sampled_from(WORDS))
    def words_find_exactly_the_chunks_that_hold_them(self, word: str) -> None:
        self.writer.sync()
        with self.reader.snapshot() as now:
            hits = now.lexical(word, 100)
            found = [now.chunks([hit.chunk_id])[hit.chunk_id].text for hit in hits]
        expected = [t for texts in self.files.values() for t in texts if word in t.split()]
        assert sorted(found) == sorted(expected)

    @invariant()
    def documents_are_the_model(self) -> None:
        with self.reader.snapshot() as now:
            lines = {line.path.decode(): line.id for line in now.documents()}
            texts = {path: now.document(i).text for path, i in lines.items()}
        assert texts == {path: "".join(parts) for path, parts in self.files.items()}
        for path, document_id in self.ids.items():
            assert lines[path] == document_id
        self.ids = lines
        parts = [text for texts in self.files.values() for text in texts]
        status = self.reader.status()
        assert (status.chunks, status.vectors) == (len(parts), len(set(parts)))

    @invariant()
    def nearest_are_those_of_brute_force(self) -> None:
        query = self.world.vector_of("query")
        with self.reader.snapshot() as now:
            hits = now.dense(query, 3)
            everything = now.dense(query, 1_000)
            chunks = now.chunks([hit.chunk_id for hit in everything])
        assert hits == everything[:3]
        assert everything == sorted(everything, key=lambda h: (-h.score, h.chunk_id))
        for hit in everything:
            exact = float(np.dot(self.world.vector_of(chunks[hit.chunk_id].text), query))
            assert abs(hit.score - exact) < 1e-3
        parts = sorted(text for texts in self.files.values() for text in texts)
        assert sorted(chunk.text for chunk in chunks.values()) == parts


def test_random_histories_match_the_model(world: Any) -> None:
    Machine.world = world
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=12, stateful_step_count=16, deadline=None)
    )
