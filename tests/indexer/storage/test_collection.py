import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import NotFoundError, QueryError, StoreError
from indexer.storage import engine
from indexer.storage.check import check
from indexer.storage.collection import Collection
from indexer.storage.documents import join_passages


def test_open_folder_without_collection_names_it_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=rf"{tmp_path}: no collection here.*semsearch index"):
        Collection.open(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotFoundError):
        check(tmp_path)


def test_empty_collection_answers_nothing(world: Any) -> None:
    with world.writer() as writer:
        writer.sync()
    with world.reader() as reader:
        assert reader.dense(world.vector_of("x"), 5) == []
        assert reader.lexical("x", 5) == []
        assert reader.chunks([1]) == {}
        assert reader.documents() == []
        status = reader.status()
        assert (status.files, status.chunks, status.vectors, status.generation) == (0, 0, 0, 0)
        assert status.contract == world.contract


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.ones(3, np.float32), r"shape \(3,\), the collection's contract says \(16,\)"),
        (np.ones(16, np.float32), "length 4 instead of 1"),
        (np.full(16, np.nan, np.float32), "length nan instead of 1"),
    ],
)
def test_dense_with_bad_query_vector_is_refused(world: Any, vector: Any, message: str) -> None:
    world.add(world.file("/a", "alpha"))
    with world.reader() as reader, pytest.raises(QueryError, match=message):
        reader.dense(vector, 1)


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_one_is_refused(world: Any, k: int) -> None:
    world.add(world.file("/a", "alpha"))
    with world.reader() as reader:
        with pytest.raises(QueryError, match=f"k is {k}"):
            reader.dense(world.vector_of("x"), k)
        with pytest.raises(QueryError, match=f"k is {k}"):
            reader.lexical("x", k)


def test_dense_ties_are_ordered_by_chunk_id_at_any_k(world: Any) -> None:
    """Different embedded texts with the very same vector."""
    files = [world.file(f"/{i}", f"text {i}") for i in range(40)]
    vector = world.vector_of("all the same")
    vectors = dict.fromkeys(world.vectors_for(*files), vector)
    changes = world.adding(*files)
    world.commit(type(changes)(files=changes.files, vectors=vectors))
    with world.reader() as reader:
        for k in (1, 5, 39, 40, 99):
            ids = [hit.chunk_id for hit in reader.dense(vector, k)]
            assert ids == list(range(1, min(k, 40) + 1))


def test_document_gives_text_metadata_and_passages(world: Any) -> None:
    world.add(world.file("/a.md", "alpha ", "beta", title="Greek"))
    with world.reader() as reader:
        document = reader.document(1)
        assert document.text == "alpha beta"
        assert document.metadata == {"n": 2}
        assert (document.path, document.title, document.format) == (b"/a.md", "Greek", "text")
        assert [(p.start, p.end, p.heading) for p in document.chunks] == [
            (0, 6, ("Part",)),
            (6, 10, ("Part",)),
        ]
        with pytest.raises(NotFoundError, match="no document 7 "):
            reader.document(7)


def test_documents_are_listed_in_pages(world: Any) -> None:
    world.add(*(world.file(f"/{i}", f"text {i}") for i in range(7)))
    with world.reader() as reader:
        pages = [[d.id for d in reader.documents(after=after, limit=3)] for after in (0, 3, 6, 7)]
        assert pages == [[1, 2, 3], [4, 5, 6], [7], []]


def test_chunks_come_in_the_order_asked_for(world: Any) -> None:
    world.add(world.file("/a", "one", "two", "three"))
    with world.reader() as reader:
        assert list(reader.chunks([3, 99, 1])) == [3, 1]


@given(st.text(max_size=200), st.lists(st.integers(0, 200), max_size=8), st.integers(0, 20))
def test_text_cut_with_overlaps_is_joined_again(text: str, cuts: list[int], overlap: int) -> None:
    points = sorted({0, len(text), *(c for c in cuts if c < len(text))})
    passages = [
        (max(0, a - overlap), text[max(0, a - overlap) : b])
        for a, b in zip(points, points[1:], strict=False)
    ]
    assert join_passages(passages) == text


def test_stretch_without_passage_keeps_offsets() -> None:
    assert join_passages([(2, "bc"), (7, "h")]) == "  bc   h"


HOSTILE = ["", " ", '"', "a AND", "NOT", "(", "*", "a:b^2", "\0", "\ud800", "~" * 999, "x" * 10**5]


@pytest.mark.parametrize("query", HOSTILE)
def test_any_string_is_a_lexical_query(world: Any, query: str) -> None:
    world.add(world.file("/doc", "alpha"))
    with world.reader() as reader:
        assert reader.lexical(query, 3) == []


def test_lexical_query_of_thousand_words_is_answered(world: Any) -> None:
    world.add(world.file("/a", "alpha"))
    words = " ".join(f"w{i}" for i in range(5_000))
    assert world.lexical(f"alpha {words}") == ["alpha"]


def test_reader_on_read_only_media_reads_catalog_and_log(world: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine, "_connect_read_only", engine._connect_read_only_media)
    world.add(world.file("/a", "alpha oak"))
    assert world.nearest("alpha oak") == ["alpha oak"]  # log folded in: read in place
    with world.writer() as writer:
        writer.commit(world.adding(world.file("/b", "beta")))
        assert (world.folder / "catalog.sqlite3-wal").stat().st_size > 0
        assert world.nearest("beta") == ["beta"]  # from a private copy with the log


def test_reader_loads_faiss_and_tantivy_only_when_asked(world: Any) -> None:
    world.add(world.file("/a", "alpha"))
    script = (
        "import sys; from pathlib import Path\n"
        "from indexer.storage.collection import Collection\n"
        "c = Collection.open(Path(sys.argv[1])); c.status(); c.documents()\n"
        "print(sorted({'faiss', 'tantivy', 'alembic', 'torch', 'Stemmer'} & set(sys.modules)))\n"
        "c.lexical('alpha', 1)\n"
        "print('faiss' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(world.folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.split("\n")[:2] == ["[]", "False"]


def test_faiss_does_not_touch_the_threads_of_others(world: Any) -> None:
    """Its OpenMP setting is torch's too: 2 threads became 1 (measured)."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(2)  # the tests may run with one, which would tell nothing
    try:
        world.add(world.file("/a", "alpha"))
        world.nearest("alpha")
        assert faiss.omp_get_max_threads() == 2
    finally:
        faiss.omp_set_num_threads(before)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_failed_write_of_a_copy_keeps_the_old_one(
    world: Any, monkeypatch: Any, code: int, call: str
) -> None:
    world.add(world.file("/a", "alpha"))
    before = (world.folder / "vectors.json").read_bytes()

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with world.writer() as writer:
        writer.commit(world.adding(world.file("/b", "beta")))
        with monkeypatch.context() as patch:
            patch.setattr(f"indexer.storage.manifest.os.{call}", fail)
            with pytest.raises(StoreError) as caught:
                writer.sync()
        assert str(world.folder) in str(caught.value)
        if code == errno.ENOSPC:
            assert "the disk is full" in str(caught.value)
        assert (world.folder / "vectors.json").read_bytes() == before
        assert list(world.folder.glob(".*.tmp")) == []
        assert world.nearest("beta") == ["beta"]
        writer.sync()
    assert check(world.folder) == []


def test_write_error_inside_faiss_keeps_the_old_copy(world: Any, monkeypatch: Any) -> None:
    world.add(world.file("/a", "alpha"))

    def fail(self: object, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with world.writer() as writer:
        writer.commit(world.adding(world.file("/b", "beta")))
        writer._sync_lexical()
        with monkeypatch.context() as patch:
            patch.setattr("indexer.storage.manifest._HashingFile.write", fail)
            with pytest.raises(StoreError, match="the disk is full"):
                writer.sync()
        writer.sync()
    assert check(world.folder) == []


def test_leftovers_of_a_killed_writer_are_removed(world: Any) -> None:
    world.add(world.file("/a", "alpha"))
    (world.folder / ".vectors-1.map.abc.tmp").write_bytes(b"half")
    world.add(world.file("/b", "beta"))
    assert list(world.folder.glob(".*.tmp")) == []


def test_removals_are_pruned_and_a_late_reader_still_answers_right(
    world: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("indexer.storage.commit.KEPT_REMOVALS", 1)
    world.add(world.file("/a", "alpha"), world.file("/b", "beta"))
    with world.reader() as reader, world.writer() as writer:
        assert len(reader.dense(world.vector_of("alpha"), 9)) == 2
        for step in range(4):
            writer.commit(world.adding(world.file("/a", f"alpha {step}")))
        writer.sync()
        hits = reader.dense(world.vector_of("alpha 3"), 9)
        assert [c.text for c in reader.chunks([h.chunk_id for h in hits]).values()][0] == "alpha 3"
        assert len(hits) == 2
    with sqlite3.connect(world.folder / "catalog.sqlite3") as connection:
        assert connection.execute("SELECT generation FROM removals").fetchall() == [(5,)]
    connection.close()
    assert check(world.folder) == []


def test_catalog_disk_full_during_commit_keeps_the_old_state(world: Any) -> None:
    world.add(world.file("/a", "alpha"))
    with world.writer() as writer:
        with writer._engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        big = world.file("/big", *(f"{i} " + "long text " * 200 for i in range(40)))
        with pytest.raises(StoreError, match="the disk is full. Nothing was lost"):
            writer.commit(world.adding(big))
        assert set(writer.known_files()) == {b"/a"}
    assert check(world.folder) == []
