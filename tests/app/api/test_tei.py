"""POST /embed and GET /info answer clients of text-embeddings-inference."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.api.application import create_app
from app.settings import Settings
from gated_embedder import POISON
from gated_service import serving
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.types import Kind
from tests_support import Indexed, clean_environment


def ask(client: TestClient, **body: Any) -> Any:
    answer = client.post("/embed", json=body)
    assert answer.status_code == 200, answer.text
    return np.array(answer.json(), np.float32)


def openai(client: TestClient, *texts: str) -> Any:
    answer = client.post("/v1/embeddings", json={"model": "minilm", "input": texts})
    return np.array([item["embedding"] for item in answer.json()["data"]], np.float32)


def test_embed_gives_the_vectors_of_the_openai_route(client: TestClient) -> None:
    texts = ["Bread rises.", "", "面包 🍞"]
    expected = openai(client, *texts)
    assert np.abs(ask(client, inputs=texts) - expected).max() <= 1e-5
    assert np.abs(ask(client, inputs=texts[0], prompt_name="query") - expected[:1]).max() <= 1e-5
    assert ask(client, inputs=texts[0], dimensions=384, normalize=True).shape == (1, 384)


def test_embed_tells_what_it_took(client: TestClient) -> None:
    headers = client.post("/embed", json={"inputs": ["two words", "面包"]}).headers
    assert headers["x-compute-type"].startswith("cpu:")
    assert (headers["x-compute-characters"], headers["x-compute-tokens"]) == ("11", "8")
    for name in ("total", "tokenization", "queue", "inference"):
        assert int(headers[f"x-{name}-time"]) >= 0


def test_embed_refuses_long_texts_unless_they_may_be_cut(
    client: TestClient, minilm_spec: ModelSpec
) -> None:
    words = "cat " * 200 + "bread " * 200
    refused = client.post("/embed", json={"inputs": ["short", words]})
    assert (refused.status_code, refused.json()["error_type"]) == (422, "Validation")
    assert "a text has 402 tokens, the model takes 256" in refused.json()["error"]
    head, tail = " ".join(words.split()[:254]), " ".join(words.split()[-254:])
    expected = openai(client, head, tail)
    right = ask(client, inputs=words, truncate=True)
    left = ask(client, inputs=words, truncate=True, truncation_direction="Left")
    assert np.abs(np.concatenate([right, left]) - expected).max() <= 1e-5
    tokenizer = load_tokenizer(minilm_spec)
    assert tokenizer.tail(words, Kind.DOCUMENT).strip() == tail


@pytest.mark.parametrize(
    ("body", "status", "kind", "words"),
    [
        ({"inputs": []}, 400, "Empty", "inputs is empty"),
        ({"inputs": ["x"] * 2049}, 422, "Validation", "2,049 inputs"),
        ({"inputs": "x", "prompt_name": "haiku"}, 422, "Validation", "'haiku' is none of query"),
        ({"inputs": "x", "normalize": False}, 422, "Validation", "unit length"),
        ({"inputs": "x", "dimensions": 9999}, 422, "Validation", "Dimension 9999"),
        ({"inputs": "x", "dimensions": 0}, 422, "Validation", "dimensions"),
        ({"inputs": "x", "truncation_direction": "Up"}, 422, "Validation", "truncation_direction"),
        ({"inputs": [[1, 2]]}, 422, "Validation", "inputs"),
        ({}, 422, "Validation", "inputs: Field required"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_embed_errors_have_the_shape_of_tei(
    client: TestClient, body: dict[str, Any], status: int, kind: str, words: str
) -> None:
    answer = client.post("/embed", json=body)
    assert (answer.status_code, answer.json()["error_type"]) == (status, kind)
    assert sorted(answer.json()) == ["error", "error_type"]
    assert words in answer.json()["error"]


def test_embed_with_a_broken_body_has_the_shape_of_tei(client: TestClient) -> None:
    answer = client.post("/embed", content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error_type"]) == (422, "Validation")


def test_embed_says_when_the_model_does_not_work(indexed: Indexed) -> None:
    with serving(indexed) as service:
        answer = service.client.post("/embed", json={"inputs": [POISON]})
    assert (answer.status_code, answer.json()["error_type"]) == (503, "Unhealthy")
    assert answer.headers["retry-after"] == "5"


def test_until_the_model_is_loaded_the_service_is_unhealthy(indexed: Indexed) -> None:
    with clean_environment(indexed.home):
        app = create_app(Settings.load())
    service = TestClient(app, base_url="http://127.0.0.1:8765")  # not entered: nothing is loaded
    for answer in (service.get("/info"), service.post("/embed", json={"inputs": "x"})):
        assert (answer.status_code, answer.json()["error_type"]) == (503, "Unhealthy")
        assert answer.json()["error"] == "The model is still loading."


def test_info_names_the_model_and_the_limits(client: TestClient, minilm_spec: ModelSpec) -> None:
    info = client.get("/info").json()
    assert info["model_id"] == minilm_spec.model
    assert info["model_type"] == {"embedding": {"pooling": "mean"}}
    assert (info["max_input_length"], info["max_client_batch_size"]) == (256, 2048)
    assert info["model_dtype"] in ("float32", "int8")
    assert info["max_concurrent_requests"] > 64
    assert info["auto_truncate"] is False
