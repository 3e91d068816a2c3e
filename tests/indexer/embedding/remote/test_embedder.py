"""Vectors from endpoints that behave: the same as anywhere, each text in its place."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from fake_endpoint import FakeEndpoint, status, vector_of, well_behaved
from indexer.embedding.pooling import finish
from indexer.embedding.remote.embedder import RemoteEmbedder, open_remote
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import Tokenizer, load_tokenizer
from indexer.embedding.wishes import Endpoint, EndpointApi, Wishes
from indexer.errors import PlacementError, UsageError
from indexer.modes import Placement, Precision
from indexer.types import Kind, Vectors

Start = Callable[..., FakeEndpoint]
Connect = Callable[..., RemoteEmbedder]
MANY = [f"the index of file {n} " + "words " * (n % 40) for n in range(300)]


def expected(texts: list[str], prompt: str = "", dimension: int = 64) -> Vectors:
    return finish(np.stack([vector_of(prompt + text, 64) for text in texts]), dimension)


def test_every_text_gets_its_own_vector(endpoint: FakeEndpoint, connect: Connect) -> None:
    """The endpoint answers in reverse order, several requests are under way: rows still match."""
    endpoint.delay_s = 0.005
    found = connect(endpoint.url).embed(MANY, Kind.DOCUMENT)
    np.testing.assert_allclose(found, expected(MANY), atol=1e-6)
    assert 1 < endpoint.most_in_flight <= 4
    assert sorted(endpoint.texts()) == sorted(MANY)
    assert all(len(request["input"]) <= 32 for request in endpoint.requests)


def test_query_is_sent_with_its_prompt(endpoint: FakeEndpoint, connect: Connect) -> None:
    embedder = connect(endpoint.url)
    found = embedder.embed(["where?"], Kind.QUERY)
    prompt = embedder.spec.query_prompt
    assert prompt.endswith("\nQuery:")
    assert endpoint.texts() == [f"{prompt}where?"]
    np.testing.assert_allclose(found, expected(["where?"], prompt), atol=1e-6)
    embedder.embed(["where?"], Kind.QUERY, "Find the file")
    assert endpoint.texts()[1] == "Instruct: Find the file\nQuery:where?"


def test_shorter_vectors_are_cut_here(endpoint: FakeEndpoint, connect: Connect) -> None:
    found = connect(endpoint.url, dimension=32).embed(["a", "b"], Kind.DOCUMENT)
    np.testing.assert_allclose(found, expected(["a", "b"], dimension=32), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert "dimensions" not in endpoint.requests[0]


def test_model_name_and_key_are_sent(start: Start, connect: Connect) -> None:
    endpoint = start(models=("served-name",))
    connect(endpoint.url, model="served-name", key="sk-1").embed(["a"], Kind.DOCUMENT)
    assert endpoint.requests[0]["model"] == "served-name"
    assert endpoint.headers[0]["Authorization"] == "Bearer sk-1"


def test_endpoint_on_this_machine_is_asked_without_a_proxy(
    endpoint: FakeEndpoint, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    connect(endpoint.url).embed(["a"], Kind.DOCUMENT)
    assert endpoint.texts() == ["a"]


def test_no_key_sends_no_authorization(endpoint: FakeEndpoint, connect: Connect) -> None:
    connect(endpoint.url).embed(["a"], Kind.DOCUMENT)
    assert "Authorization" not in endpoint.headers[0]


def test_tei_embed_gives_the_same(endpoint: FakeEndpoint, connect: Connect) -> None:
    found = connect(f"{endpoint.root}/embed").embed(MANY[:50], Kind.DOCUMENT)
    np.testing.assert_allclose(found, expected(MANY[:50]), atol=1e-6)
    assert endpoint.requests[0]["truncate"] is False
    chosen = connect(endpoint.root, api=EndpointApi.TEI).embed(["a"], Kind.DOCUMENT)
    np.testing.assert_allclose(chosen, expected(["a"]), atol=1e-6)


def test_no_texts_ask_nothing(endpoint: FakeEndpoint, connect: Connect) -> None:
    assert connect(endpoint.url).embed([], Kind.DOCUMENT).shape == (0, 64)
    assert endpoint.requests == []


def test_on_batch_counts_every_text_and_token_on_this_thread(
    endpoint: FakeEndpoint, connect: Connect, tiny_tokenizer: Tokenizer
) -> None:
    seen: list[tuple[int, int, int]] = []
    connect(endpoint.url).embed(
        MANY, Kind.DOCUMENT, on_batch=lambda n, t: seen.append((n, t, threading.get_ident()))
    )
    assert sum(texts for texts, _, _ in seen) == len(MANY)
    assert sum(tokens for _, tokens, _ in seen) == sum(tiny_tokenizer.count(MANY))
    assert {thread for _, _, thread in seen} == {threading.get_ident()}


def test_text_over_the_limit_is_cut_before_it_is_sent(
    endpoint: FakeEndpoint, tiny_spec: ModelSpec, tiny_tokenizer: Tokenizer
) -> None:
    spec = replace(tiny_spec, max_tokens=64)
    wishes = Wishes(Placement.REMOTE, endpoints=(Endpoint(endpoint.url),))
    text = "the words of the file " * 100
    with RemoteEmbedder(spec, load_tokenizer(spec), wishes) as embedder:
        embedder.embed([text], Kind.DOCUMENT)
    [sent] = endpoint.texts()
    assert text.startswith(sent)
    assert tiny_tokenizer.count([sent]) == [64]


def test_requests_keep_to_the_token_budget(
    endpoint: FakeEndpoint, tiny_spec: ModelSpec, tiny_tokenizer: Tokenizer
) -> None:
    wishes = Wishes(Placement.REMOTE, max_batch_tokens=200, endpoints=(Endpoint(endpoint.url),))
    with RemoteEmbedder(tiny_spec, tiny_tokenizer, wishes) as embedder:
        embedder.embed(MANY, Kind.DOCUMENT)
    for request in endpoint.requests:
        assert sum(tiny_tokenizer.count(request["input"])) <= 200


def test_eight_threads_share_one_embedder_and_its_limit(
    endpoint: FakeEndpoint, connect: Connect
) -> None:
    endpoint.delay_s = 0.002
    embedder = connect(endpoint.url, concurrency=3)
    parts = [MANY[n::8] for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda part: embedder.embed(part, Kind.DOCUMENT), parts))
    for part, vectors in zip(parts, found, strict=True):
        np.testing.assert_allclose(vectors, expected(part), atol=1e-6)
    assert endpoint.most_in_flight <= 3


def test_endpoints_share_the_load(start: Start, connect: Connect) -> None:
    first, second = start(delay_s=0.01), start(delay_s=0.01)
    found = connect(first.url, second.url, concurrency=2).embed(MANY, Kind.DOCUMENT)
    np.testing.assert_allclose(found, expected(MANY), atol=1e-6)
    assert sorted(first.texts() + second.texts()) == sorted(MANY)
    assert min(len(first.requests), len(second.requests)) >= 3
    assert max(first.most_in_flight, second.most_in_flight) <= 2


def test_server_that_takes_fewer_texts_gets_fewer(start: Start, connect: Connect) -> None:
    endpoint = start(max_texts=8)
    embedder = connect(endpoint.url, concurrency=1)
    np.testing.assert_allclose(embedder.embed(MANY, Kind.DOCUMENT), expected(MANY), atol=1e-6)
    asked = len(endpoint.requests)
    embedder.embed(MANY[:64], Kind.DOCUMENT)
    assert [len(r["input"]) for r in endpoint.requests[asked:]] == [8] * 8


def test_server_without_base64_is_asked_for_floats_from_then_on(
    start: Start, connect: Connect
) -> None:
    refuse = status(400, {"error": {"message": "encoding_format: extra inputs are not permitted"}})

    def plain_only(handler, request):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        (refuse if "encoding_format" in request else well_behaved)(handler, request)

    endpoint = start(always=plain_only)
    found = connect(endpoint.url, concurrency=1).embed(MANY, Kind.DOCUMENT)
    np.testing.assert_allclose(found, expected(MANY), atol=1e-6)
    assert ["encoding_format" in r for r in endpoint.requests].count(True) == 1


def test_mode_names_the_declared_precision(
    endpoint: FakeEndpoint, connect: Connect, tiny_spec: ModelSpec, tiny_tokenizer: Tokenizer
) -> None:
    assert str(connect(endpoint.url).mode) == "remote:bf16"  # Qwen3's config.json says so
    wishes = Wishes(Placement.REMOTE, Precision.FP16, endpoints=(Endpoint(endpoint.url),))
    with RemoteEmbedder(tiny_spec, tiny_tokenizer, wishes) as embedder:
        assert str(embedder.mode) == "remote:fp16"


def test_remote_without_an_endpoint_says_how_to_give_one(
    tiny_spec: ModelSpec, tiny_tokenizer: Tokenizer
) -> None:
    with pytest.raises(UsageError, match=r"--endpoint http://127\.0\.0\.1:30000/v1"):
        RemoteEmbedder(tiny_spec, tiny_tokenizer, Wishes(Placement.REMOTE))


def test_opening_asks_every_endpoint_once(
    start: Start, tiny_spec: ModelSpec, tiny_tokenizer: Tokenizer
) -> None:
    first, second = start(), start()
    wishes = Wishes(Placement.REMOTE, endpoints=(Endpoint(first.url), Endpoint(second.url)))
    with open_remote(tiny_spec, tiny_tokenizer, wishes):
        assert first.texts() == second.texts() == ["ready"]


def test_opening_fails_where_no_endpoint_works(
    start: Start, tiny_spec: ModelSpec, tiny_tokenizer: Tokenizer
) -> None:
    endpoint = start(always=status(400, {"message": "This server does not support embeddings"}))
    wishes = Wishes(Placement.REMOTE, endpoints=(Endpoint(endpoint.url),))
    with pytest.raises(PlacementError, match="This server does not support embeddings"):
        open_remote(tiny_spec, tiny_tokenizer, wishes)
