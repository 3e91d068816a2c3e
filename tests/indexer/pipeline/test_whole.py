"""Whole documents: one vector each, what is unchanged costs nothing, what is gone goes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.embedding.embedder import Embedder
from indexer.pipeline.whole import CHUNKER, index_whole
from indexer.storage.check import check
from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.types import Contract, Kind

LONG = "word " * 2_000
TEXTS = [("1", "Apples grow."), ("2", LONG), ("a b#%", "Ünïcode\x00 text"), ("3", " \n")]


@pytest.fixture
def whole(contract: Contract) -> Contract:
    return replace(contract, chunker=CHUNKER)


def test_each_text_is_one_chunk_with_the_vector_of_all_of_it(
    tmp_path: Path, hash_embedder: Embedder, whole: Contract
) -> None:
    folder, source = tmp_path / "c", tmp_path / "corpus.jsonl"
    with Writer.open(folder, whole) as writer:
        report = index_whole(TEXTS, source, writer, hash_embedder, whole)
    assert (report.added, report.documents, report.chunks, report.embedded) == (3, 3, 3, 3)
    with Collection.open(folder) as collection, collection.snapshot() as now:
        found = {d.member: d for d in now.documents()}
        assert sorted(found) == ["1", "2", "a b#%"]
        [vector] = hash_embedder.embed([LONG], Kind.DOCUMENT)
        best = now.dense(vector, 1)[0]
        assert best.score == pytest.approx(1, abs=1e-3)
        chunk = now.chunks([best.chunk_id])[best.chunk_id]
        assert (chunk.member, chunk.text) == ("2", LONG)
        assert len(now.lexical("apples", 5)) == 1
    assert check(folder) == []


def test_second_run_embeds_only_what_changed_and_forgets_what_is_gone(
    tmp_path: Path,
    hash_embedder: Embedder,
    embedded_texts: Callable[[], int],
    whole: Contract,
) -> None:
    folder, source = tmp_path / "c", tmp_path / "corpus.jsonl"
    with Writer.open(folder, whole) as writer:
        index_whole(TEXTS, source, writer, hash_embedder, whole)
    before = embedded_texts()
    changed = [("1", "Apples grow."), ("2", "Short now.")]
    with Writer.open(folder, whole) as writer:
        report = index_whole(changed, source, writer, hash_embedder, whole)
    assert embedded_texts() == before + 1
    assert (report.added, report.unchanged, report.removed) == (1, 1, 1)
    with Collection.open(folder) as collection, collection.snapshot() as now:
        assert [(d.member, d.chunks) for d in now.documents()] == [("1", 1), ("2", 1)]
        kept = now.vectors_by_key(10)
        assert list(kept) == sorted(kept)
        assert len(kept) == 2
        assert np.linalg.norm(next(iter(kept.values()))) == pytest.approx(1, abs=1e-3)


def test_interrupted_run_goes_on_where_it_was(
    tmp_path: Path,
    hash_embedder: Embedder,
    embedded_texts: Callable[[], int],
    whole: Contract,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from indexer.pipeline import group

    monkeypatch.setattr(group, "MIN_TOKENS", 50)
    monkeypatch.setattr(group, "WORK_AT_RISK_S", 0.0)
    folder, source = tmp_path / "c", tmp_path / "corpus.jsonl"
    many = [(str(i), f"text {i} " * 10) for i in range(40)]

    def stop(_report: object) -> None:
        if embedded_texts() >= 20:
            raise KeyboardInterrupt

    with Writer.open(folder, whole) as writer, pytest.raises(KeyboardInterrupt):
        index_whole(many, source, writer, hash_embedder, whole, stop)
    with Writer.open(folder, whole) as writer:
        report = index_whole(many, source, writer, hash_embedder, whole)
    assert report.unchanged >= 10
    assert report.unchanged + report.added == 40
    with Collection.open(folder) as collection:
        assert collection.status().documents == 40
