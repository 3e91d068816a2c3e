"""The two files of judgements: what is put is there at once, and damage is named."""

from pathlib import Path

import pytest

from app.judging.store import JudgementStore, query_id, read_judgements
from indexer.errors import LockedError, StoreError, UsageError


def test_put_is_on_disk_at_once_and_may_be_changed(tmp_path: Path) -> None:
    with JudgementStore(tmp_path) as store:
        store.put("q1", "why, 为什么?", "docs/a%20b.md#r1", 1)
        store.put("q1", "why, 为什么?", "docs/c.md", 0)
        store.put("q1", "why, 为什么?", "docs/a%20b.md#r1", 2)
        folder = tmp_path / "judgements"
        assert (folder / "qrels.trec").read_text() == (
            "q1 0 docs/a%20b.md#r1 2\nq1 0 docs/c.md 0\n"
        )
        assert (folder / "queries.jsonl").read_text("utf-8") == (
            '{"_id": "q1", "text": "why, 为什么?"}\n'
        )
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "qrels.trec", "queries.jsonl"]
    read = read_judgements(tmp_path)
    assert read.qrels == {"q1": {"docs/a%20b.md#r1": 2, "docs/c.md": 0}}
    assert (read.count, read.answered) == (2, 1)


def test_store_opened_again_adds_to_what_is_there(tmp_path: Path) -> None:
    for query in ("q1", "q2"):
        with JudgementStore(tmp_path) as store:
            store.put(query, f"text of {query}", "a.md", 1)
    assert read_judgements(tmp_path).queries == {"q1": "text of q1", "q2": "text of q2"}


def test_withdrawn_judgement_is_as_if_never_made(tmp_path: Path) -> None:
    with JudgementStore(tmp_path) as store:
        store.put("q1", "text", "a.md", 1)
        store.put("q1", "text", "b.md", 0)
        store.put("q2", "other", "a.md", 1)
        store.withdraw("q1", "a.md")
        store.withdraw("q1", "never judged.md")
        store.withdraw("q2", "a.md")
        assert read_judgements(tmp_path).qrels == {"q1": {"b.md": 0}}
        store.withdraw("q1", "b.md")
        assert read_judgements(tmp_path).count == 0
        store.put("q1", "text", "b.md", 1)
    assert read_judgements(tmp_path).qrels == {"q1": {"b.md": 1}}


def test_two_processes_cannot_judge_one_collection(tmp_path: Path) -> None:
    with JudgementStore(tmp_path), pytest.raises(LockedError, match=str(tmp_path)):
        JudgementStore(tmp_path)


def test_judgement_of_an_unknown_query_is_named(tmp_path: Path) -> None:
    with JudgementStore(tmp_path) as store:
        store.put("q1", "text", "a.md", 1)
    with (tmp_path / "judgements" / "qrels.trec").open("a") as file:
        file.write("q9 0 a.md 1\n")
    with pytest.raises(UsageError, match=r"'q9'.*queries\.jsonl"):
        JudgementStore(tmp_path)
    with pytest.raises(UsageError, match="'q9'"):  # and not that the first one holds the lock
        JudgementStore(tmp_path)


def test_judgement_that_cannot_be_written_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with JudgementStore(tmp_path) as store:
        store.put("q1", "text", "a.md", 1)
        with monkeypatch.context() as patch:
            patch.setattr("app.judging.store.write_bytes", full)
            with pytest.raises(StoreError, match="No space left"):
                store.put("q2", "other", "a.md", 1)
        store.put("q2", "other", "b.md", 1)
    assert read_judgements(tmp_path).queries == {"q1": "text", "q2": "other"}


def test_query_id_depends_on_the_text_alone() -> None:
    assert query_id("why?") == query_id("why?") != query_id("why")
    assert query_id("why?").split() == [query_id("why?")]
