"""One run after another over a changing folder: what is stored, and what it cost."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from indexer.embedding.embedder import Embedder, OnBatch
from indexer.errors import ModelError, ReadError
from indexer.pipeline.report import Progress, Report
from indexer.pipeline.run import IndexOptions, index
from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.types import Contract, Kind, SkipReason, Vectors

Run = Callable[..., Report]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "apple.md").write_text("# Apples\n\nApples grow on trees in cool valleys.\n")
    (folder / "bread.md").write_text("# Bread\n\nBread rises when yeast eats sugar.\n")
    (folder / "sub" / "clock.txt").write_text("The clock in the tower strikes twelve.\n")
    return folder


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    return tmp_path / "collection"


@pytest.fixture
def run(collection: Path, contract: Contract, hash_embedder: Embedder, docs: Path) -> Run:
    def run_once(*paths: Path, options: IndexOptions | None = None) -> Report:
        with Writer.open(collection, contract) as writer:
            return index(list(paths) or [docs], writer, hash_embedder, contract, options)

    return run_once


def stored_texts(folder: Path) -> dict[str, str]:
    """{file name: text} of all documents."""
    with Collection.open(folder) as opened:
        return {
            os.path.basename(os.fsdecode(d.path)): opened.document(d.id).text
            for d in opened.documents(limit=1000)
        }


def stored_vectors(folder: Path) -> list[tuple[str, bytes]]:
    with closing(sqlite3.connect(folder / "catalog.sqlite3")) as catalog:
        return catalog.execute(
            "SELECT c.text, e.vector FROM chunks c JOIN embeddings e ON e.id = c.embedding_id "
            "ORDER BY c.start"
        ).fetchall()


def counts(folder: Path) -> tuple[int, int, int]:
    with Collection.open(folder) as opened:
        status = opened.status()
        return status.documents, status.chunks, status.vectors


def test_index_new_folder_stores_every_file(run: Run, collection: Path) -> None:
    report = run()
    assert (report.added, report.unchanged, report.embedded) == (3, 0, 3)
    assert stored_texts(collection) == {
        "apple.md": "# Apples\n\nApples grow on trees in cool valleys.\n",
        "bread.md": "# Bread\n\nBread rises when yeast eats sugar.\n",
        "clock.txt": "The clock in the tower strikes twelve.\n",
    }


def test_index_again_embeds_and_reads_nothing(run: Run, embedded_texts: Callable[[], int]) -> None:
    run()
    before = embedded_texts()
    report = run()
    assert (report.unchanged, report.added, report.touched) == (3, 0, 0)
    assert embedded_texts() == before


def test_index_touched_file_costs_no_embedding(
    run: Run, docs: Path, embedded_texts: Callable[[], int]
) -> None:
    run()
    before = embedded_texts()
    os.utime(docs / "apple.md", ns=(1, 1))
    report = run()
    assert (report.touched, report.unchanged, embedded_texts()) == (1, 2, before)
    assert run().unchanged == 3


def test_index_moved_file_keeps_document_and_costs_no_embedding(
    run: Run, docs: Path, collection: Path, embedded_texts: Callable[[], int]
) -> None:
    run()
    with Collection.open(collection) as opened:
        ids = {os.fsdecode(d.path): d.id for d in opened.documents()}
    before = embedded_texts()
    (docs / "apple.md").rename(docs / "sub" / "pome.md")
    report = run()
    assert (report.moved, report.added, report.removed, embedded_texts()) == (1, 0, 0, before)
    with Collection.open(collection) as opened:
        after = {os.fsdecode(d.path): d.id for d in opened.documents()}
    assert after[str(docs / "sub" / "pome.md")] == ids[str(docs / "apple.md")]


def test_index_one_file_moved_to_two_places_keeps_both(
    run: Run, docs: Path, collection: Path, embedded_texts: Callable[[], int]
) -> None:
    run()
    before = embedded_texts()
    shutil.copy(docs / "apple.md", docs / "a1.md")
    (docs / "apple.md").rename(docs / "a2.md")
    report = run()
    assert (report.moved, report.added, report.removed, embedded_texts()) == (1, 1, 0, before)
    texts = stored_texts(collection)
    assert texts["a1.md"] == texts["a2.md"]
    assert "apple.md" not in texts


def test_index_equal_text_in_two_files_is_two_documents_one_vector(
    run: Run, docs: Path, collection: Path, embedded_texts: Callable[[], int]
) -> None:
    (docs / "copy.md").write_text((docs / "apple.md").read_text())
    report = run()
    assert (report.added, report.embedded, report.reused) == (4, 3, 1)
    assert counts(collection) == (4, 4, 3)
    assert embedded_texts() == 3


def test_index_changed_file_swaps_its_text(run: Run, docs: Path, collection: Path) -> None:
    run()
    (docs / "apple.md").write_text("# Pears\n\nPears ripen indoors.\n")
    report = run()
    assert (report.changed, report.unchanged, report.embedded) == (1, 2, 1)
    assert stored_texts(collection)["apple.md"] == "# Pears\n\nPears ripen indoors.\n"
    assert counts(collection) == (3, 3, 3)


def test_index_deleted_file_disappears(run: Run, docs: Path, collection: Path) -> None:
    run()
    (docs / "bread.md").unlink()
    assert run().removed == 1
    assert sorted(stored_texts(collection)) == ["apple.md", "clock.txt"]
    assert counts(collection) == (2, 2, 2)


def test_index_subfolder_never_removes_the_rest(run: Run, docs: Path, collection: Path) -> None:
    run()
    (docs / "sub" / "clock.txt").unlink()
    (docs / "apple.md").unlink()
    assert run(docs / "sub").removed == 1
    assert sorted(stored_texts(collection)) == ["apple.md", "bread.md"]


def test_index_folder_with_a_common_prefix_is_left_alone(
    run: Run, docs: Path, collection: Path, tmp_path: Path
) -> None:
    """`docs` must not take `docs-old` for something below it."""
    old = tmp_path / "docs-old"
    old.mkdir()
    (old / "o.md").write_text("Old words.\n")
    run(docs, old)
    shutil.rmtree(old)
    assert run(docs).removed == 0
    assert "o.md" in stored_texts(collection)


def test_index_file_now_ignored_is_removed(run: Run, docs: Path, collection: Path) -> None:
    run()
    (docs / ".semsearchignore").write_text("bread.md\n")
    report = run()
    assert report.removed == 1
    assert "bread.md" in {s.path.name for s in report.skipped if s.reason is SkipReason.IGNORED}
    assert "bread.md" not in stored_texts(collection)


def test_index_file_that_breaks_keeps_its_old_text(run: Run, docs: Path, collection: Path) -> None:
    (docs / "n.ipynb").write_text('{"cells": [{"cell_type": "markdown", "source": "Hello"}]}')
    run()
    assert "n.ipynb" in stored_texts(collection)
    (docs / "n.ipynb").write_text('{"cells": [')
    report = run()
    assert report.removed == 0
    assert [s.path.name for s in report.skipped] == ["n.ipynb"]
    assert "Hello" in stored_texts(collection)["n.ipynb"]


def test_index_missing_path_names_it_and_changes_nothing(
    run: Run, docs: Path, collection: Path
) -> None:
    run()
    with pytest.raises(ReadError, match="no-such-folder"):
        run(docs.parent / "no-such-folder")
    assert counts(collection) == (3, 3, 3)


def test_index_name_that_is_not_utf8_survives(run: Run, docs: Path, collection: Path) -> None:
    name = b"caf\xe9.txt"
    try:
        (docs / os.fsdecode(name)).write_text("A name in Latin-1.\n")
    except OSError:
        pytest.skip("this file system takes no such names (macOS)")
    run()
    with Collection.open(collection) as opened:
        assert os.path.join(os.fsencode(docs), name) in {d.path for d in opened.documents()}
    assert run().unchanged == 4


def test_index_in_worker_processes_gives_the_same_collection(
    tmp_path: Path, contract: Contract, hash_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = tmp_path / "many"
    docs.mkdir()
    for i in range(150):
        (docs / f"f{i:03}.md").write_text(f"# Title {i}\n\nBody number {i}.\n")
    monkeypatch.setattr("indexer.pipeline.workers.MIN_FILES_FOR_WORKERS", 1)
    texts = []
    for workers in (0, 1):
        folder = tmp_path / f"c{workers}"
        with Writer.open(folder, contract) as writer:
            options = IndexOptions(workers=workers)
            report = index([docs], writer, hash_embedder, contract, options)
        assert report.added == 150
        texts.append(stored_texts(folder))
    assert texts[0] == texts[1]


def test_index_interrupted_run_keeps_what_was_committed_and_goes_on(
    tmp_path: Path, contract: Contract, hash_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = tmp_path / "many"
    docs.mkdir()
    for i in range(20):
        (docs / f"f{i:03}.md").write_text(f"# Title {i}\n\nBody number {i}.\n")
    monkeypatch.setattr("indexer.pipeline.group.MAX_FILES", 4)

    def interrupt(progress: Progress) -> None:
        if progress.chunks >= 8:
            raise KeyboardInterrupt

    folder = tmp_path / "c"
    with Writer.open(folder, contract) as writer, pytest.raises(KeyboardInterrupt):
        index([docs], writer, hash_embedder, contract, on_progress=interrupt)
    assert counts(folder) == (8, 8, 8)
    with Writer.open(folder, contract) as writer:
        report = index([docs], writer, hash_embedder, contract)
    assert (report.unchanged, report.added, report.embedded) == (8, 12, 12)
    assert counts(folder) == (20, 20, 20)


def test_index_long_document_interrupted_goes_on_inside_it(
    tmp_path: Path, contract: Contract, hash_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One book must not cost all its hours again: its vectors are staged part by part."""
    docs, folder = tmp_path / "docs", tmp_path / "c"
    docs.mkdir()
    paragraphs = [f"Paragraph {i} of the book. " + f"Word{i} " * 80 for i in range(60)]
    (docs / "book.txt").write_text("\n\n".join(paragraphs))
    monkeypatch.setattr("indexer.pipeline.group.MIN_TOKENS", 1_000)
    monkeypatch.setattr("indexer.pipeline.group.WORK_AT_RISK_S", 0.0)
    embed, calls = hash_embedder.embed, []

    def stop_at_the_third(texts: list[str], kind: Kind, on_batch: OnBatch) -> Vectors:
        calls.append(len(texts))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return embed(texts, kind, on_batch=on_batch)

    monkeypatch.setattr(hash_embedder, "embed", stop_at_the_third)
    with Writer.open(folder, contract) as writer, pytest.raises(KeyboardInterrupt):
        index([docs], writer, hash_embedder, contract)
    assert counts(folder) == (0, 0, 0)
    with Writer.open(folder, contract) as writer:
        report = index([docs], writer, hash_embedder, contract)
    staged = calls[0] + calls[1]
    assert report.chunks > staged > 0
    assert (report.embedded, report.reused) == (report.chunks - staged, staged)
    calm = tmp_path / "calm"
    with Writer.open(calm, contract) as writer:
        index([docs], writer, hash_embedder, contract)
    assert stored_vectors(folder) == stored_vectors(calm)
    with closing(sqlite3.connect(folder / "catalog.sqlite3")) as catalog:
        assert catalog.execute("SELECT count(*) FROM staged_vectors").fetchone() == (0,)


def test_index_model_that_gives_nan_stores_nothing(
    tmp_path: Path,
    docs: Path,
    contract: Contract,
    hash_embedder: Embedder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(batch: list[list[int]]) -> Vectors:
        import numpy as np

        return np.full((len(batch), 384), np.nan, dtype=np.float32)

    monkeypatch.setattr(hash_embedder.runtime, "forward", broken)
    folder = tmp_path / "c"
    with Writer.open(folder, contract) as writer, pytest.raises(ModelError, match="NaN"):
        index([docs], writer, hash_embedder, contract)
    assert counts(folder) == (0, 0, 0)


def test_index_planted_text_is_the_first_hit(
    run: Run, collection: Path, hash_embedder: Embedder
) -> None:
    run()
    text = "The clock in the tower strikes twelve."
    with Collection.open(collection) as opened:
        vector = hash_embedder.embed([text + "\n"], Kind.DOCUMENT)[0]
        best = opened.dense(vector, 1)[0]
        chunk = opened.chunks([best.chunk_id])[best.chunk_id]
        assert chunk.text.strip() == text
        assert best.score == pytest.approx(1.0, abs=1e-3)
        word = opened.lexical("yeast", 5)
        assert [os.path.basename(opened.chunks([w.chunk_id])[w.chunk_id].path) for w in word] == [
            b"bread.md"
        ]


def test_progress_counts_up_to_the_total(
    collection: Path, contract: Contract, hash_embedder: Embedder, docs: Path
) -> None:
    seen: list[Progress] = []
    with Writer.open(collection, contract) as writer:
        index([docs], writer, hash_embedder, contract, on_progress=seen.append)
    assert (seen[-1].files_done, seen[-1].files_total, seen[-1].chunks) == (3, 3, 3)
    # The first word comes while the model works, before anything is committed.
    assert (seen[0].chunks, seen[0].tokens) == (0, seen[-1].tokens)
    assert seen[0].tokens > 0
    assert seen[0].tokens_per_s > 0
