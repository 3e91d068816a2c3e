"""The reranker of the settings: loaded once, from a folder, a name or a server, or refused."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import make_tiny_rerankers as make
from app.search.models import Models
from app.search.rerankers import Rerankers
from app.settings import Settings
from fake_reranker import FakeReranker, serve
from indexer.errors import ModelError, PlacementError, UsageError

Load = Callable[..., Settings]


@pytest.fixture
def load(home: Path) -> Load:
    """Settings of an empty home with these values."""
    return lambda **values: Settings.load({"hf_offline": True, "threads": 1, **values})


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make.make_tiny_cross_encoder(tmp_path_factory.mktemp("models") / "tiny-bert")


def test_none_is_set(load: Load) -> None:
    rerankers = Rerankers(load())
    assert not rerankers.is_set
    with pytest.raises(UsageError, match="No reranker is set"):
        rerankers.get()


def test_folder_is_loaded_once_for_all_threads(load: Load, bert_folder: Path) -> None:
    rerankers = Rerankers(load(reranker=str(bert_folder), rerank_depth=2))
    assert rerankers.is_set
    assert rerankers.loaded is None
    seen: list[Any] = []
    threads = [threading.Thread(target=lambda: seen.append(rerankers.get())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {id(found) for found in seen} == {id(rerankers.loaded)}
    found = seen[0].rerank("how is the clock wound", ["by hand", "tea", "clock"])
    assert str(found) == "reranked: 2 of 3"
    assert found.reranker == "tiny-bert"
    assert seen[0].rerank("clock", ["by hand"] * 3, budget_s=60).judged == 3
    assert seen[0].pace.tokens_per_s > 0
    rerankers.close()
    assert rerankers.loaded is None


def test_server_is_asked_under_the_models_hub_id(load: Load) -> None:
    with serve(FakeReranker(style="vllm", paths=("/v1/rerank",))) as server:
        settings = load(
            reranker_endpoint=f"{server.url}/v1",
            reranker="qwen3-reranker-0.6b",
            reranker_key="sk-secret",
            endpoint_key="sk-of-others",
        )
        found = Rerankers(settings).get().rerank("a b", ["c", "a b"])
    assert found.order == (1, 0)
    assert {request["model"] for request in server.requests} == {"Qwen/Qwen3-Reranker-0.6B"}
    assert {headers["Authorization"] for headers in server.headers} == {"Bearer sk-secret"}


def test_failure_is_remembered_for_a_while(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    rerankers = Rerankers(load(reranker="ms-marco-minilm-l6"), clock=lambda: now[0])
    tries = []
    named = rerankers.named

    def counting(name: str) -> Any:
        tries.append(name)
        return named(name)

    monkeypatch.setattr(rerankers, "named", counting)
    for _ in range(3):
        with pytest.raises(ModelError, match="not on this machine, and the hub is out of reach"):
            rerankers.get()
    assert len(tries) == 1
    now[0] = 11.0
    with pytest.raises(ModelError):
        rerankers.get()
    assert len(tries) == 2


def test_server_out_of_reach_is_a_placement_error(load: Load) -> None:
    with pytest.raises(PlacementError, match="Reranker http://127.0.0.1:9/rerank: out of reach"):
        Rerankers(load(reranker_endpoint="http://127.0.0.1:9")).get()


def test_address_with_a_key_in_it_is_refused(load: Load) -> None:
    with pytest.raises(UsageError, match="give the key as reranker_key"):
        load(reranker_endpoint="http://user:secret@h")


def test_reranker_is_no_model_for_a_collection(load: Load) -> None:
    with pytest.raises(ModelError, match="ms-marco-minilm-l6 is a reranker"):
        Models(load()).named("ms-marco-minilm-l6")


def test_reranker_stays_here_where_the_embedder_is_remote(load: Load, bert_folder: Path) -> None:
    settings = load(reranker=str(bert_folder), endpoints=("http://127.0.0.1:9/v1",))
    assert settings.runs_remote
    assert Rerankers(settings).get().reranker.name == "tiny-bert"
