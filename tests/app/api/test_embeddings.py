"""POST /v1/embeddings beyond single texts: token ids, limits, many clients at once."""

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from openai import OpenAI

from gated_service import serving
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.types import Kind
from tests_support import Indexed

TEXTS = ["Bread rises.", "don't", "面包 🍞 naïve", "word " * 600]


@pytest.fixture
def openai(client: TestClient) -> OpenAI:
    return OpenAI(
        base_url="http://127.0.0.1:8765/v1", api_key="none", http_client=client, max_retries=0
    )


def ask(client: TestClient, **body: Any) -> Any:
    answer = client.post("/v1/embeddings", json={"model": "minilm", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_openai_client_gets_the_same_for_token_ids_as_for_their_texts(
    openai: OpenAI, minilm_spec: ModelSpec
) -> None:
    framed = load_tokenizer(minilm_spec).encode(TEXTS, Kind.DOCUMENT)
    bare = [ids[1:-1] for ids in framed]
    expected = openai.embeddings.create(input=TEXTS, model="minilm")
    for ids in (framed, bare):
        found = openai.embeddings.create(input=ids, model="minilm")
        assert found.usage == expected.usage
        for mine, theirs in zip(found.data, expected.data, strict=True):
            assert np.abs(np.subtract(mine.embedding, theirs.embedding)).max() <= 1e-5
    one = openai.embeddings.create(input=bare[0], model="minilm")
    assert len(one.data) == 1
    assert np.abs(np.subtract(one.data[0].embedding, expected.data[0].embedding)).max() <= 1e-5


def test_base64_holds_the_floats(client: TestClient) -> None:
    floats = ask(client, input=TEXTS)["data"]
    packed = ask(client, input=TEXTS, encoding_format="base64")["data"]
    for number, text in zip(floats, packed, strict=True):
        values = np.frombuffer(base64.b64decode(text["embedding"]), "<f4")
        assert np.abs(values - np.array(number["embedding"], np.float32)).max() <= 1e-5


def test_usage_counts_what_the_model_saw(client: TestClient) -> None:
    usage = ask(client, input=TEXTS)["usage"]
    assert usage == {"prompt_tokens": 5 + 5 + 6 + 256, "total_tokens": 272}


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ([], 400, "input is empty"),
        ([[0] * 200_000, [0] * 100_001], 400, "300,001 tokens"),
        ([-1], 400, "-1 is no token id"),
        ([[5, 1 << 40]], 400, "is no token id"),
        ([[5], "text"], 422, "input"),
        ([5, "text"], 422, "input"),
        ([5.5], 422, "input"),
        ({"a": 1}, 422, "input"),
        (None, 422, "input"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_input_that_cannot_be_embedded_is_refused(
    client: TestClient, given: Any, status: int, words: str
) -> None:
    answer = client.post("/v1/embeddings", json={"model": "minilm", "input": given})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert words in error["message"]
    assert error["param"].startswith("input")


def test_limits_are_checked_before_the_model_is_loaded(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(indexed) as service:
        monkeypatch.setattr(service.state, "served", lambda: pytest.fail("asked for the model"))
        for given in ([], ["x"] * 2049, ["x" * 4_000_001], [[1] * 300_001]):
            body = {"model": "minilm", "input": given}
            assert service.client.post("/v1/embeddings", json=body).status_code == 400
            assert service.client.post("/embed", json={"inputs": given}).status_code in (
                400,
                413,
                422,
            )


def test_many_texts_let_a_question_go_first(indexed: Indexed) -> None:
    texts = [f"document {n}" for n in range(600)]
    with serving(indexed, batch_tokens=64) as service, ThreadPoolExecutor(2) as pool:
        service.inner.gate.clear()
        body = {"model": "minilm", "input": texts, "encoding_format": "base64"}
        long = pool.submit(service.client.post, "/v1/embeddings", json=body)
        assert service.inner.entered.acquire(timeout=30)
        question = pool.submit(service.search, "a question")
        [embedder] = service.state.embedders
        while embedder.counters.waiting < 2:
            assert not question.done()
        service.inner.gate.set()
        answer = long.result().json()
    assert service.inner.calls[1] == ("a question",)
    values = [np.frombuffer(base64.b64decode(i["embedding"]), "<f4") for i in answer["data"]]
    assert np.array_equal(np.stack(values), service.inner.expected(texts, Kind.DOCUMENT))
    assert question.result().status_code == 200


def test_clients_at_once_each_get_their_own(indexed: Indexed) -> None:
    with serving(indexed) as service, ThreadPoolExecutor(8) as pool:

        def one(number: int) -> bool:
            texts = [f"text {number} {n}" for n in range(number % 4 + 1)]
            body = {"model": "minilm", "input": texts}
            data = service.client.post("/v1/embeddings", json=body).json()["data"]
            found = np.array([item["embedding"] for item in data], np.float32)
            return np.array_equal(found, service.inner.expected(texts, Kind.DOCUMENT))

        assert all(pool.map(one, range(40)))
