"""POST /rerank, as TEI's clients ask for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import make_tiny_rerankers as make
from app.api.application import create_app
from app.api.rerank import MAX_TEXT_CHARS, MAX_TEXTS
from app.settings import Settings
from fake_reranker import FakeReranker, says, serve
from indexer.embedding.wishes import Endpoint
from indexer.reranking.remote.reranker import RemoteReranker

BASE = "http://127.0.0.1:8765"
QUERY = "how is the clock wound"
TEXTS = ["tea is hot", "the clock is wound by hand", "the clock"]


@pytest.fixture
def service(home: Path) -> Iterator[Callable[..., TestClient]]:
    """The service with these settings; no collection, no embedder."""
    with ExitStack() as stack:

        def make_service(**settings: Any) -> TestClient:
            loaded = Settings.load({"hf_offline": True, "threads": 1, **settings})
            client = TestClient(create_app(loaded), BASE)
            stack.callback(client.close)
            return client

        yield make_service


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "tiny-bert"
    return make.make_tiny_cross_encoder(out, "torch.nn.modules.linear.Identity")


Service = Callable[..., TestClient]


def test_scores_come_best_first_and_from_0_to_1(service: Service, folder: Path) -> None:
    client = service(reranker=str(folder))
    answer = client.post("/rerank", json={"query": QUERY, "texts": TEXTS}).json()
    assert sorted(item["index"] for item in answer) == [0, 1, 2]
    scores = [item["score"] for item in answer]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert all(set(item) == {"index", "score"} for item in answer)
    options = {"raw_scores": True, "return_text": True}
    raw = client.post("/rerank", json={"query": QUERY, "texts": TEXTS, **options}).json()
    assert [item["index"] for item in raw] == [item["index"] for item in answer]
    assert [item["text"] for item in raw] == [TEXTS[item["index"]] for item in raw]
    assert max(abs(item["score"]) for item in raw) > 1


def test_too_long_text_is_refused_unless_it_may_be_cut(service: Service, folder: Path) -> None:
    client = service(reranker=str(folder))
    request = {"query": QUERY, "texts": ["short", "word " * 200]}
    refused = client.post("/rerank", json=request)
    assert refused.status_code == 422
    assert "Text 1 with the query: 208 tokens; tiny-bert takes 128" in refused.text
    assert client.post("/rerank", json={**request, "truncate": True}).status_code == 200


def test_our_own_client_takes_the_service_for_a_tei(service: Service, folder: Path) -> None:
    client = service(reranker=str(folder))
    reranker = RemoteReranker(Endpoint(BASE))
    connection = reranker._client._connection
    connection.close()
    connection._http = client
    direct = client.post("/rerank", json={"query": QUERY, "texts": TEXTS}).json()
    by_index = {item["index"]: item["score"] for item in direct}
    assert reranker.scores(QUERY, TEXTS).tolist() == pytest.approx([by_index[i] for i in range(3)])


@pytest.mark.parametrize(
    "change",
    [
        {"texts": []},
        {"texts": ["x"] * (MAX_TEXTS + 1)},
        {"texts": ["x" * (MAX_TEXT_CHARS + 1)]},
        {"texts": "one"},
        {"texts": [1]},
        {"query": ""},
        {"query": "x" * 32_769},
        {"query": None},
        {"truncation_direction": "Left"},
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(
    service: Service, change: dict[str, Any]
) -> None:
    client = service(reranker="ms-marco-minilm-l6")  # not on this machine: asking would fail
    answer = client.post("/rerank", json={"query": "q", "texts": ["t"], **change})
    assert answer.status_code == 422
    assert answer.json()["error_type"] == "Validation"


def test_lone_surrogates_are_no_fault(service: Service, folder: Path) -> None:
    client = service(reranker=str(folder))
    body = '{"query": "\\ud800", "texts": ["\\udfff"], "return_text": true}'
    answer = client.post("/rerank", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 422)


def test_without_a_reranker_the_answer_says_how_to_set_one(service: Service) -> None:
    answer = service().post("/rerank", json={"query": "q", "texts": ["t"]})
    assert (answer.status_code, answer.json()["error_type"]) == (424, "Backend")
    assert "SEMSEARCH_RERANKER" in answer.json()["error"]


def test_reranker_out_of_reach_is_503(service: Service) -> None:
    missing = service(reranker="ms-marco-minilm-l6")
    assert missing.post("/rerank", json={"query": "q", "texts": ["t"]}).status_code == 503
    with serve(FakeReranker()) as server:
        client = service(reranker_endpoint=server.url)
        assert client.post("/rerank", json={"query": "q", "texts": ["t"]}).status_code == 200
        server.always = says(200, [])
        answer = client.post("/rerank", json={"query": "q", "texts": ["t"]})
        assert answer.status_code == 503
        assert "gave 0 scores for 1 texts" in answer.json()["error"]
        assert answer.headers["Retry-After"] == "5"


def test_raw_scores_of_a_server_without_them_are_refused(service: Service) -> None:
    with serve(FakeReranker(style="vllm", paths=("/v1/rerank",))) as server:
        client = service(reranker_endpoint=server.url)
        request = {"query": "q", "texts": ["t"], "raw_scores": True}
        answer = client.post("/rerank", json=request)
        assert answer.status_code == 422
        assert "gives no raw scores" in answer.json()["error"]
