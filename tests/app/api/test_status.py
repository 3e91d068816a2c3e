"""GET /status: counts, models and times as they are, and a damaged collection beside whole ones."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.application import create_app
from app.api.latency import LATEST, Latencies
from app.api.status_schemas import StatusAnswer
from app.search.live_recall import LiveRecall
from app.settings import Settings
from indexer.storage.lock import WriterLock
from indexer.version import __version__
from tests_support import Indexed, clean_environment


def test_status_tells_what_there_is(client: TestClient) -> None:
    asked = client.get("/status").json()["searches"]["count"]
    client.post("/search", json={"query": "tea"})
    client.post("/search", json={"query": " "})
    answer = client.get("/status")
    StatusAnswer.model_validate_json(answer.content, strict=True, extra="forbid")
    status = answer.json()
    assert (status["version"], status["problem"]) == (__version__, None)
    assert status["memory_bytes"] > 10_000_000
    assert status["searches"]["count"] == asked + 1
    assert 0 < status["searches"]["p50_ms"] <= status["searches"]["p95_ms"]
    assert status["cache"]["size_bytes"] > 0
    assert status["cache"]["hits"] + status["cache"]["misses"] > 0
    assert (status["queue"]["waiting"], status["queue"]["waiting_tokens"]) == (0, 0)
    assert status["queue"]["requests"] <= status["queue"]["places"]
    (model,) = status["models"]
    assert (model["model"], model["mode"][:3]) == ("sentence-transformers/all-MiniLM-L6-v2", "cpu")
    (only,) = status["collections"]
    assert (only["name"], only["is_default"], only["problem"]) == ("default", True, None)
    assert (only["documents"], only["vectors"], only["dimension"]) == (6, 6, 384)
    assert (only["index"]["kind"], only["index"]["rows"]) == ("exact", 6)
    assert (only["indexing"], only["index"]["recall_at_10"]) == (None, None)


def test_status_and_metrics_tell_the_recall_of_what_was_served(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = LiveRecall(0.98, 0.97, 0.99, 120, 0.99, 1.5)
    app: Any = client.app
    monkeypatch.setattr(app.state.semsearch.recall, "results", lambda: {"default": found})
    (only,) = client.get("/status").json()["collections"]
    assert only["index"]["live"] == {
        **{"recall_at_10": 0.98, "low": 0.97, "high": 0.99, "checks": 120, "effort_factor": 1.5}
    }
    shown = client.get("/metrics").text
    assert 'semsearch_recall_ratio{collection="default"} 0.98' in shown
    assert 'semsearch_recall_target_ratio{collection="default"} 0.99' in shown


@pytest.fixture
def folder(indexed: Indexed) -> Iterator[Path]:
    yield indexed.home / "collections" / "default"
    (indexed.home / "collections" / "default" / "progress.json").unlink(missing_ok=True)


def test_status_tells_how_far_a_writer_is(client: TestClient, folder: Path) -> None:
    values = {
        **{"files_done": 3, "files_total": 12, "chunks": 40, "tokens": 900, "tokens_per_s": 300.0},
        **{"bytes_done": 250, "bytes_total": 1_000, "elapsed_s": 3.0},
    }
    lock = WriterLock(folder / "lock")
    try:
        assert client.get("/status").json()["collections"][0]["indexing"] == {
            "pid": os.getpid(),
            "progress": None,
        }
        for pid, known in ((os.getpid(), True), (os.getpid() + 1, False)):
            (folder / "progress.json").write_text(json.dumps({"pid": pid, **values}))
            indexing = client.get("/status").json()["collections"][0]["indexing"]
            assert (indexing["progress"] is not None) is known
            if known:
                assert indexing["progress"]["files_done"] == 3
                assert indexing["progress"]["eta_s"] == 9.0
    finally:
        lock.release()
    assert client.get("/status").json()["collections"][0]["indexing"] is None


def test_status_of_a_damaged_collection_says_so_beside_the_others(tmp_path: Path) -> None:
    broken = tmp_path / "collections" / "broken"
    broken.mkdir(parents=True)
    (broken / "catalog.sqlite3").write_bytes(b"no database at all" * 100)
    with clean_environment(tmp_path):
        settings = Settings.load(flags={"model": "minilm"})
    app = create_app(settings)
    with TestClient(app, base_url="http://127.0.0.1:8765") as service:
        (collection,) = service.get("/status").json()["collections"]
    assert (collection["name"], collection["documents"]) == ("broken", 0)
    assert "broken" in collection["problem"]


def test_latencies_are_nearest_rank_percentiles_of_the_latest() -> None:
    latencies = Latencies()
    assert latencies.percentiles_ms(50, 95) == [None, None]
    for ms in range(LATEST + 100):
        latencies.add(float(ms))
    assert latencies.count == LATEST + 100
    assert latencies.latest == LATEST
    assert latencies.percentiles_ms(0, 50, 95, 100) == [100.0, 349.0, 574.0, 599.0]
    with pytest.raises(ValueError, match="broken"), latencies.timed():
        raise ValueError("broken")
    assert latencies.count == LATEST + 100
