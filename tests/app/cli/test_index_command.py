"""`semsearch index` as a person and as a script see it."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests_support import Cli, write_docs


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_docs(tmp_path / "docs")


def test_index_json_names_counts_and_each_skipped_file(cli: Cli, docs: Path) -> None:
    (docs / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    ran = cli("index", str(docs), "--model", "minilm", "--json")
    assert ran.code == 0
    report = json.loads(ran.out)
    assert (report["added"], report["documents"], report["collection"]) == (5, 6, "default")
    assert report["embedded"] == report["chunks"] > 0
    assert [(Path(s["path"]).name, s["reason"]) for s in report["skipped"]] == [
        ("photo.png", "binary")
    ]


def test_index_summary_goes_to_stderr_and_stdout_stays_empty(cli: Cli, docs: Path) -> None:
    ran = cli("index", str(docs), "--model", "minilm")
    assert ran.out == ""
    assert "Collection default: 5 added" in ran.err
    again = cli("index", str(docs))
    assert "Collection default: 5 unchanged" in again.err


def test_index_without_paths_uses_the_recorded_roots(cli: Cli, docs: Path) -> None:
    cli("index", str(docs), "--model", "minilm")
    (docs / "apple.md").unlink()
    ran = cli("index", "--json")
    assert json.loads(ran.out)["removed"] == 1


def test_index_without_paths_and_collection_says_what_to_do(cli: Cli) -> None:
    ran = cli("index")
    assert ran.code == 2
    assert "semsearch index ./docs" in ran.err


def test_index_upgrades_a_collection_of_an_older_semsearch(
    cli: Cli, docs: Path, home: Path
) -> None:
    assert cli("index", str(docs), "--model", "minilm").code == 0
    catalog = sqlite3.connect(home / "collections" / "default" / "catalog.sqlite3")
    catalog.executescript(
        "DROP TABLE embedding_runs; ALTER TABLE staged_vectors DROP COLUMN mode; "
        "UPDATE alembic_version SET version_num = '0001'"
    )
    catalog.close()
    ran = cli("status")
    assert ran.code == 65
    assert "Run `semsearch index` once" in ran.err
    assert cli("index").code == 0
    status = json.loads(cli("status", "--json").out)
    assert status["modes"] == {"unknown": status["vectors"]}


def test_index_missing_folder_exits_2_and_names_it(cli: Cli, tmp_path: Path) -> None:
    ran = cli("index", str(tmp_path / "nowhere"), "--model", "minilm")
    assert ran.code == 2
    assert str(tmp_path / "nowhere") in ran.err


def test_index_other_model_is_refused_with_both_contracts_and_the_way_out(
    cli: Cli, docs: Path, tmp_path: Path
) -> None:
    from make_tiny_qwen3 import make_tiny_qwen3

    cli("index", str(docs), "--model", "minilm")
    tiny = make_tiny_qwen3(tmp_path / "tiny-qwen3")
    ran = cli("index", str(docs), "--model", str(tiny))
    assert ran.code == 65
    assert "all-MiniLM-L6-v2" in ran.err
    assert "tiny-qwen3" in ran.err
    assert "semsearch index --reembed" in ran.err
    again = cli("index", str(docs), "--model", str(tiny), "--reembed", "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["added"] == 5
    status = json.loads(cli("status", "--json").out)
    assert status["contract"]["model"] == "tiny-qwen3"
    assert status["contract"]["dimension"] == 64


def test_index_unknown_model_exits_69_and_lists_the_names(cli: Cli, docs: Path) -> None:
    ran = cli("index", str(docs), "--model", "minilmm")
    assert ran.code == 69
    assert "Did you mean minilm?" in ran.err


def test_index_default_model_offline_names_the_ways_out(
    cli: Cli, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    ran = cli("index", str(docs))
    assert ran.code == 69
    assert "Qwen/Qwen3-Embedding-0.6B" in ran.err
    assert "--model minilm" in ran.err
    assert not (Path(os.environ["SEMSEARCH_HOME"]) / "collections").exists()


def test_dry_run_predicts_and_changes_nothing(cli: Cli, docs: Path, home: Path) -> None:
    ran = cli("index", str(docs), "--model", "minilm", "--dry-run", "--json")
    assert ran.code == 0, ran.err
    foreseen = json.loads(ran.out)
    assert not (home / "collections").exists()
    report = json.loads(cli("index", str(docs), "--model", "minilm", "--json").out)
    assert (foreseen["files"], foreseen["chunks"]) == (5, report["chunks"])
    assert foreseen["new_tokens"] == report["tokens"]
    assert foreseen["seconds"] > 0
    assert foreseen["ram_bytes"] > 90_000_000
    again = json.loads(cli("index", str(docs), "--dry-run", "--json").out)
    assert (again["files"], again["unchanged"], again["new_tokens"]) == (0, 5, 0)


def test_rm_forgets_a_file_and_leaves_it_on_disk(cli: Cli, docs: Path) -> None:
    cli("index", str(docs), "--model", "minilm")
    ran = cli("rm", str(docs / "apple.md"), "--json")
    assert json.loads(ran.out) == {"collection": "default", "removed": 1}
    assert (docs / "apple.md").exists()
    assert json.loads(cli("status", "--json").out)["documents"] == 5


def test_rm_all_deletes_the_collection(cli: Cli, docs: Path, home: Path) -> None:
    cli("index", str(docs), "--model", "minilm", "-c", "other")
    ran = cli("rm", "--all", "--yes", "-c", "other")
    assert ran.code == 0
    assert list((home / "collections").iterdir()) == []
    gone = cli("status", "-c", "other")
    assert gone.code == 2
    assert "'other'" in gone.err


def test_second_writer_exits_75_and_names_the_holder(cli: Cli, docs: Path, home: Path) -> None:
    cli("index", str(docs), "--model", "minilm")
    holder = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from indexer.storage.lock import WriterLock\n"
        "lock = WriterLock(Path(sys.argv[1]))\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    lock = home / "collections" / "default" / "lock"
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(lock)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        ran = cli("index", str(docs))
        assert ran.code == 75
        assert str(process.pid) in ran.err
    finally:
        process.kill()
        process.communicate()


def test_index_mode_that_cannot_run_leaves_no_collection(
    cli: Cli, docs: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty collection bound to the failed run's model would decide the next run's model."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    ran = cli("index", str(docs), "--model", "minilm", "--placement", "gpu")
    assert ran.code == 69
    assert "no NVIDIA GPU found" in ran.err
    assert not (home / "collections").exists()
    cli("index", str(docs), "--model", "minilm")
    again = cli("index", str(docs), "--model", "minilm", "--reembed", "--placement", "gpu")
    assert again.code == 69
    assert json.loads(cli("status", "--json").out)["documents"] == 6


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SEMSEARCH_CHUNK_TOKENS", "96", "'1/256' in the collection, '1/96' asked for"),
        ("SEMSEARCH_DIMENSION", "128", "384 in the collection, 128 asked for"),
    ],
)
def test_index_other_sizes_than_the_collections_are_refused(
    cli: Cli, docs: Path, variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("index", str(docs), "--model", "minilm")
    monkeypatch.setenv(variable, value)
    ran = cli("index", str(docs))
    assert ran.code == 65
    assert words in ran.err
    assert "--reembed" in ran.err


def test_index_other_chunker_version_is_refused(
    cli: Cli, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks of two versions in one collection would not be found alike."""
    cli("index", str(docs), "--model", "minilm")
    monkeypatch.setattr("app.indexing.CHUNKER_VERSION", 2)
    ran = cli("index", str(docs))
    assert ran.code == 65
    assert "'1/256' in the collection, '2/256' asked for" in ran.err


def test_index_small_chunks_are_kept_by_the_next_run(
    cli: Cli, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMSEARCH_CHUNK_TOKENS", "48")
    assert cli("index", str(docs), "--model", "minilm").code == 0
    monkeypatch.delenv("SEMSEARCH_CHUNK_TOKENS")
    (docs / "long.md").write_text("A sentence about nothing much. " * 60)
    assert cli("index", str(docs)).code == 0
    status = json.loads(cli("status", "--json").out)
    assert status["contract"]["chunker"] == "1/48"
    assert status["chunks"] >= 6 + 60 * 7 // 48


def test_task_of_queries_is_refused_by_a_model_that_takes_none(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("# A\n\nText.\n")
    ran = cli("index", str(tmp_path / "a.md"), "--model", "minilm", "--instruct", "code")
    assert (ran.code, "takes no instruction" in ran.err) == (2, True)
    assert not (home / "collections" / "default").exists()
    assert cli("index", str(tmp_path / "a.md"), "--model", "minilm", "--instruct", "none").code == 0
