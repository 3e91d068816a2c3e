"""The HTTP service: answers, shapes, errors, and commits seen without a restart."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from fastapi.testclient import TestClient
from openai import BadRequestError, NotFoundError, OpenAI

from app.api.application import create_app
from app.api.search_schemas import SearchAnswer
from app.settings import Settings
from indexer.embedding.opening import open_embedder
from indexer.embedding.spec import ModelSpec
from indexer.embedding.wishes import Wishes
from indexer.errors import CorruptError, ModelError
from indexer.modes import Placement
from indexer.types import Kind
from tests_support import Cli, Indexed, clean_environment, write_docs

MODEL = "sentence-transformers/all-MiniLM-L6-v2"


def test_search_finds_the_planted_document_first(client: TestClient, indexed: Indexed) -> None:
    answer = client.post("/search", json={"query": "why does dough get bigger?", "k": 3})
    assert answer.status_code == 200
    SearchAnswer.model_validate_json(answer.content, strict=True, extra="forbid")
    hits = answer.json()["hits"]
    assert hits[0]["document"]["path"] == str(indexed.docs / "bread.md")
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert len({hit["document"]["id"] for hit in hits}) == 3


def test_search_answers_as_the_command_line_does(client: TestClient, searching: Cli) -> None:
    over_http = client.post("/search", json={"query": "hot water for tea"}).json()
    in_shell = json.loads(searching("search", "hot water for tea", "--json").out)
    assert over_http["hits"] == in_shell["hits"]
    assert sorted(over_http) == sorted(in_shell)


def test_search_by_get_is_the_same_answer(client: TestClient) -> None:
    asked = {"query": "hot water for tea", "k": 2, "more": 0, "neighbours": 1}
    posted = client.post("/search", json=asked).json()
    got = client.get("/search", params={**asked, "collection": ["default", "default"]}).json()
    assert got["hits"] == posted["hits"]
    assert len(got["hits"]) == 2
    refused = client.get("/search", params={"query": "tea", "colection": "x"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "colection")


def test_search_pages_go_on_where_the_one_before_ended(client: TestClient) -> None:
    asked = {"query": "water", "k": 2}
    whole = client.post("/search", json={**asked, "k": 6}).json()
    first = client.post("/search", json=asked).json()
    second = client.get("/search", params={**asked, "cursor": first["next"]}).json()
    assert [*first["hits"], *second["hits"]] == whole["hits"][:4]
    foreign = client.post("/search", json={"query": "tea", "cursor": first["next"]})
    assert foreign.status_code == 422
    assert "belongs to another query" in foreign.json()["error"]["message"]


def test_search_without_the_model_answers_by_words_marked_as_degraded(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise ModelError("the hub is out of reach")

    monkeypatch.setattr("app.search.models.open_embedder", refuse)
    with clean_environment(indexed.home):
        settings = Settings.load()
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8765") as service:
        answer = service.post("/search", json={"query": "yeast"})
        values = answer.json()
        assert (answer.status_code, values["mode"], values["degraded"]) == (200, "lexical", True)
        assert values["degraded_reason"] == "the hub is out of reach"
        assert [Path(hit["document"]["path"]).name for hit in values["hits"]] == ["bread.md"]
        assert service.post("/search", json={"query": "yeast", "mode": "dense"}).status_code == 503


def test_search_lexical_over_http(client: TestClient) -> None:
    answer = client.post("/search", json={"query": "酵母", "mode": "lexical"}).json()
    assert [Path(hit["document"]["path"]).name for hit in answer["hits"]] == ["zh.md"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"query": ""}, 422, "query"),
        ({"query": "   "}, 422, "empty"),
        ({"query": "x", "k": 0}, 422, "k"),
        ({"query": "x", "kk": 3}, 422, "kk"),
        ({"query": "x", "mode": "psychic"}, 422, "mode"),
        ({"query": "x", "collection": "nope"}, 404, "'nope'"),
        ({"query": "x", "collection": "../etc"}, 422, "collection"),
        ({"query": "x", "collection": []}, 422, "collection"),
        ({"query": "x" * 40_000}, 422, "query"),
        ({"query": "x", "instruction": "Find recipes"}, 422, "takes no instruction"),
    ],
)
def test_search_bad_request_has_the_one_error_shape(
    client: TestClient, body: dict[str, object], status: int, words: str
) -> None:
    answer = client.post("/search", json=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert sorted(error) == ["code", "message", "param", "type"]
    assert words in error["message"]


def test_broken_json_is_400(client: TestClient) -> None:
    answer = client.post("/search", content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "json_invalid")


def test_unknown_route_and_method_have_the_one_error_shape(client: TestClient) -> None:
    assert client.get("/nope").json()["error"]["type"] == "invalid_request_error"
    assert client.put("/search").status_code == 405
    assert "message" in client.get("/search").json()["error"]


def test_document_gives_text_and_chunks(client: TestClient, indexed: Indexed) -> None:
    hit = client.post("/search", json={"query": "dough and yeast"}).json()["hits"][0]
    document = client.get(f"/documents/{hit['document']['id']}").json()
    assert document["text"] == (indexed.docs / "bread.md").read_text()
    assert document["chunks"][0]["text"] == hit["chunk"]["text"]
    assert document["title"] == "Bread"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/documents/999999", 404),
        ("/documents/0", 422),
        ("/documents/abc", 422),
        (f"/documents/{2**70}", 422),
        ("/documents/1?collection=nope", 404),
    ],
)
def test_document_that_is_not_there(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_collections_lists_counts_and_contract(client: TestClient) -> None:
    (only,) = client.get("/collections").json()
    assert (only["name"], only["documents"], only["vectors"]) == ("default", 6, 6)
    assert only["contract"]["model"] == MODEL


def test_health_and_ready(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "alive"}
    assert client.get("/ready").json() == {"status": "ready"}


def test_ready_is_503_with_the_reason_when_the_model_is_out_of_reach(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with TestClient(create_app(Settings.load()), base_url="http://127.0.0.1:8765") as service:
        until = time.monotonic() + 30
        while "still loading" in service.get("/ready").text and time.monotonic() < until:
            time.sleep(0.05)
        answer = service.get("/ready")
        assert answer.status_code == 503
        assert "Qwen/Qwen3-Embedding-0.6B" in answer.json()["error"]["message"]
        assert "retry-after" in answer.headers
        assert service.get("/health").status_code == 200


def test_host_of_another_site_is_refused(client: TestClient) -> None:
    """DNS rebinding: the page's own name arrives in Host."""
    answer = client.get("/collections", headers={"host": "evil.example"})
    assert answer.status_code == 403


def test_openapi_documents_every_route_with_errors(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    assert sorted(schema["paths"]) == [
        "/collections",
        "/documents",
        "/documents/{document_id}",
        "/documents/{document_id}/chunks/{chunk_id}",
        "/documents/{document_id}/similar",
        "/embed",
        "/health",
        "/health_generate",
        "/info",
        "/judgements",
        "/metrics",
        "/ready",
        "/rerank",
        "/search",
        "/status",
        "/v1/embeddings",
        "/v1/models",
    ]
    search = schema["paths"]["/search"]["post"]["responses"]
    for status in ("401", "403", "408", "413", "422"):
        shape = search[status]["content"]["application/json"]["schema"]
        assert shape["$ref"].endswith("ErrorAnswer")
    assert "examples" in schema["components"]["schemas"]["SearchRequest"]["properties"]["query"]


@pytest.fixture
def openai(client: TestClient) -> OpenAI:
    return OpenAI(
        base_url="http://127.0.0.1:8765/v1", api_key="none", http_client=client, max_retries=0
    )


def test_openai_client_gets_the_vectors_of_the_embedder(
    openai: OpenAI, minilm_spec: ModelSpec
) -> None:
    texts = ["Bread rises.", "", "面包 🍞"]
    answer = openai.embeddings.create(input=texts, model=MODEL)  # asks for base64, decodes it
    with open_embedder(minilm_spec, Wishes(Placement.CPU)) as embedder:
        expected = embedder.embed(texts, Kind.DOCUMENT)
        tokens = sum(embedder.tokenizer.count(texts))
    got = np.array([item.embedding for item in answer.data], dtype=np.float32)
    assert np.abs(got - expected).max() <= 1e-6
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (tokens, tokens)
    assert (answer.object, answer.model) == ("list", MODEL)


def test_openai_client_string_float_and_short_name(openai: OpenAI) -> None:
    answer = openai.embeddings.create(input="tea", model="minilm", encoding_format="float")
    assert np.linalg.norm(answer.data[0].embedding) == pytest.approx(1, abs=1e-5)


def test_openai_client_sees_errors_as_its_own_classes(openai: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="gpt-5") as missing:
        openai.embeddings.create(input="x", model="gpt-5")
    assert missing.value.code == "model_not_found"
    with pytest.raises(BadRequestError) as wrong:
        openai.embeddings.create(input="x", model="minilm", dimensions=9999)
    assert wrong.value.param == "dimensions"
    with pytest.raises(BadRequestError, match="at least one"):
        openai.embeddings.create(input=[], model="minilm")
    with pytest.raises(BadRequestError, match="99999999 is no token id"):
        openai.embeddings.create(input=[[1, 2], [3, 99_999_999]], model="minilm")
    with pytest.raises(BadRequestError, match="300,000"):
        openai.embeddings.create(input=[[7] * 300_001], model="minilm")
    with pytest.raises(BadRequestError, match="4,000,000"):
        openai.embeddings.create(input=["x" * 2_000_001] * 2, model="minilm")
    with pytest.raises(BadRequestError, match="2,048"):
        openai.embeddings.create(input=["x"] * 2049, model="minilm")


def test_openai_client_lists_models(openai: OpenAI) -> None:
    assert [model.id for model in openai.models.list()] == [MODEL]


def test_running_service_sees_new_commits_within_a_second(cli: Cli, tmp_path: Path) -> None:
    """A real server on a real port, a writer beside it, no restart."""
    import httpx

    docs = write_docs(tmp_path / "docs")
    cli("index", str(docs), "--model", "minilm")
    server = uvicorn.Server(
        uvicorn.Config(create_app(Settings.load()), host="127.0.0.1", port=0, log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/search"
        ask = {"query": "What do zebras look like?", "k": 1}
        before = httpx.post(url, json=ask, timeout=60).json()["hits"][0]
        assert "zebra" not in before["document"]["path"]
        (docs / "zebra.md").write_text("# Zebras\n\nZebras have black and white stripes.\n")
        assert cli("index", str(docs)).code == 0
        for mode in ("dense", "lexical"):
            answer = httpx.post(url, json={**ask, "mode": mode}, timeout=1)
            assert answer.status_code == 200, answer.text
            after = answer.json()["hits"][0]
            assert Path(after["document"]["path"]).name == "zebra.md"
        (docs / "zebra.md").unlink()
        assert cli("index", str(docs)).code == 0
        gone = httpx.post(url, json=ask, timeout=1).json()["hits"][0]
        assert "zebra" not in gone["document"]["path"]
    finally:
        server.should_exit = True
        thread.join()


def test_search_by_filter_finds_only_what_passes(client: TestClient) -> None:
    asked = {"query": "water", "where": "type:md and not path:bread.md"}
    for answer in (client.post("/search", json=asked), client.get("/search", params=asked)):
        names = {Path(hit["document"]["path"]).name for hit in answer.json()["hits"]}
        assert names == {"apple.md", "zh.md"}
    refused = client.post("/search", json={"query": "water", "where": "langauge:de"})
    assert refused.status_code == 422
    assert "Did you mean language?" in refused.json()["error"]["message"]


@pytest.mark.parametrize("name", ["x" * 500, "/etc", "../..", "\0", "minilm/../.."])
def test_model_names_of_strangers_are_not_looked_for_among_files(
    client: TestClient, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def probed(*_arguments: object) -> Path:
        raise AssertionError("looked for a folder")

    monkeypatch.setattr("indexer.embedding.models.Path", probed)
    answer = client.post("/v1/embeddings", json={"input": "x", "model": name})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


def test_damaged_collection_leaves_the_others_served(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: Any = client.app
    collections = app.state.semsearch.collections
    get = collections.get

    def damaged(name: str | None = None) -> Any:
        if name == "broken":
            raise CorruptError("damaged")
        return get(name)

    monkeypatch.setattr(collections, "names", lambda: ["broken", "default"])
    monkeypatch.setattr(collections, "get", damaged)
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == [MODEL]
    assert client.post("/v1/embeddings", json={"input": "x", "model": "minilm"}).is_success


def test_service_becomes_ready_once_the_model_can_be_had(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.search import models

    real, tries = models.open_embedder, []

    def away_at_first(*arguments: Any, **more: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise ModelError("the hub is out of reach")
        return real(*arguments, **more)

    monkeypatch.setattr("app.search.models.open_embedder", away_at_first)
    monkeypatch.setattr("app.api.state._WARM_AGAIN_S", 0.05)
    with clean_environment(indexed.home):
        settings = Settings.load()
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8765") as service:
        until = time.monotonic() + 60
        while service.get("/ready").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.05)
    assert len(tries) > 1
