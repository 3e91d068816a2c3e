"""A reranker behind a server that speaks any of the known ways, fails, or lies."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from fake_reranker import Answer, FakeReranker, says, score_of, sends, serve
from indexer.embedding.remote.retry import Backoff
from indexer.embedding.wishes import Endpoint
from indexer.errors import ModelError, PlacementError, UsageError
from indexer.reranking.remote.client import places_of
from indexer.reranking.remote.reranker import RemoteReranker, open_remote

KEY = "sk-secret-0123456789"
QUERY = "how is the clock wound"
TEXTS = [f"the clock {'is wound ' * (i % 3)}text {i}" for i in range(70)]
GOOD = [{"index": 0, "score": 0.5}]


@pytest.fixture
def start() -> Iterator[Callable[..., FakeReranker]]:
    with ExitStack() as stack:
        yield lambda **faults: stack.enter_context(serve(FakeReranker(**faults)))


@pytest.fixture
def connect() -> Iterator[Callable[..., RemoteReranker]]:
    """A reranker that waits milliseconds where a real one waits seconds."""
    with ExitStack() as stack:

        def make(url: str, **options: Any) -> RemoteReranker:
            endpoint = Endpoint(url, **{"timeout_s": 5.0, **options})
            return stack.enter_context(RemoteReranker(endpoint, Backoff(0.01, 0.05)))

        yield make


Start = Callable[..., FakeReranker]
Connect = Callable[..., RemoteReranker]


@pytest.mark.parametrize(
    ("style", "paths", "url"),
    [
        ("tei", ("/rerank",), ""),
        ("tei", ("/rerank",), "/rerank"),
        ("vllm", ("/rerank", "/v1/rerank"), ""),
        ("vllm", ("/v1/rerank",), "/v1"),
        ("sglang", ("/v1/rerank",), ""),
        ("vllm", ("/proxy/v2/rerank",), "/proxy/v2/"),
        ("tei", ("/proxy/rerank",), "/proxy"),
    ],
)
def test_way_of_asking_is_found_once(
    start: Start, connect: Connect, style: str, paths: tuple[str, ...], url: str
) -> None:
    server = start(style=style, paths=paths)
    reranker = connect(server.url + url, model="org/reranker")
    reranker.check()
    asked = len(server.requests)
    logits = np.array([score_of(QUERY, text) for text in TEXTS])
    expected = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(reranker.scores(QUERY, TEXTS), expected, rtol=1e-6)
    assert len(server.requests) == asked + 3  # 32 texts at a time, asked in one way alone
    assert {request["path"] for request in server.requests[asked:]} == {
        paths[-1]
    } or style == "vllm"
    assert reranker.name.startswith("org/reranker at http://127.0.0.1:")
    assert reranker.scores(QUERY, []).shape == (0,)


def test_tei_gives_raw_scores_and_others_say_that_they_have_none(
    start: Start, connect: Connect
) -> None:
    logits = connect(start().url).logits(QUERY, TEXTS[:3])
    np.testing.assert_allclose(logits, [score_of(QUERY, text) for text in TEXTS[:3]], rtol=1e-6)
    with pytest.raises(UsageError, match="gives no raw scores"):
        connect(start(style="vllm").url).logits(QUERY, TEXTS[:3])


def test_smaller_limit_of_texts_is_found_and_kept(start: Start, connect: Connect) -> None:
    server = start(max_texts=10)
    reranker = connect(server.url)
    expected = [score_of(QUERY, text) for text in TEXTS]
    np.testing.assert_allclose(reranker.logits(QUERY, TEXTS), expected, rtol=1e-6)
    before = len(server.requests)
    reranker.logits(QUERY, TEXTS)
    assert {len(r["texts"]) for r in server.requests[before:]} == {8, 6}


def test_key_goes_along_and_is_never_told(start: Start, connect: Connect) -> None:
    server = start()
    reranker = connect(server.url, key=KEY)
    reranker.scores(QUERY, TEXTS[:1])
    assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    server.always = says(401, {"error": f"bad key {KEY}"})
    with pytest.raises(PlacementError, match="Check the key") as caught:
        reranker.scores(QUERY, TEXTS[:1])
    assert KEY not in str(caught.value)


def test_missing_key_names_its_setting(start: Start, connect: Connect) -> None:
    server = start(always=says(401, {"error": "no key"}))
    with pytest.raises(PlacementError, match="wants a key: set SEMSEARCH_RERANKER_KEY"):
        connect(server.url, key_setting="SEMSEARCH_RERANKER_KEY").check()
    assert len(server.requests) == 1  # another way of asking would not help


def test_moment_of_overload_is_waited_for(start: Start, connect: Connect) -> None:
    for moment in (says(503, {}), says(429, {}, Retry_After="0")):
        server = start(script=[moment])
        connect(server.url).check()
        assert len(server.requests) == 2


def test_overload_that_lasts_is_an_error(start: Start, connect: Connect) -> None:
    server = start(always=says(503, {"error": "overloaded"}))
    with pytest.raises(PlacementError, match=r"Reranker http.*answered 503 \(overloaded\)"):
        connect(server.url).check()
    assert len(server.requests) == 2
    server.always = says(429, {}, Retry_After="600")
    with pytest.raises(PlacementError, match="answered 429"):
        connect(server.url).check()
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [503, 403])
def test_server_that_fails_is_left_alone_for_a_while(
    start: Start, connect: Connect, status: int
) -> None:
    server = start()
    reranker = connect(server.url, key=KEY)
    reranker.check()
    server.always = says(status, {"error": f"no: {KEY}"})
    for _ in range(3):
        with pytest.raises(PlacementError, match=rf"answered {status} \(no: \*\*\*\)"):
            reranker.scores(QUERY, TEXTS[:1])
    assert len(server.requests) == (3 if status == 503 else 2)
    server.always = None
    reranker._client._aside = None  # ten seconds later
    assert reranker.scores(QUERY, TEXTS[:1]).shape == (1,)


def test_nobody_there(connect: Connect, start: Start) -> None:
    with pytest.raises(PlacementError, match="out of reach"):
        connect("http://127.0.0.1:9").check()
    with pytest.raises(PlacementError, match="out of reach"):
        open_remote(Endpoint("http://127.0.0.1:9"))
    server = start(paths=("/embed",))
    with pytest.raises(PlacementError, match="does not rerank in any known way .*answered 404"):
        connect(server.url).check()


LIES: list[tuple[Answer, type[Exception], str]] = [
    (says(200, []), ModelError, "gave 0 scores for 1 texts"),
    (says(200, [*GOOD, *GOOD]), ModelError, "gave 2 scores for 1 texts"),
    (says(200, [{"index": 7, "score": 1}]), ModelError, "gave index 7"),
    (sends(b'[{"index": 0, "score": NaN}]'), ModelError, "NaN or infinite"),
    (sends(b'[{"index": 0, "score": 1e999}]'), ModelError, "NaN or infinite"),
    (sends(b"[" * 100_000), ModelError, "nested too deep"),
    (sends(b"<html>", Content_Type="text/html"), ModelError, "answered with text/html, not JSON"),
    (sends(b"[" + b" " * (9 << 20) + b"]"), ModelError, "sent more than 8192 KiB"),
    (sends(b"packed", Content_Encoding="gzip"), ModelError, r"packed its answer \(gzip\)"),
    (sends(b'[{"index": 0'), PlacementError, "no whole JSON"),
    (
        says(307, {}, Location="http://169.254.169.254/rerank"),
        PlacementError,
        "Redirects are not followed",
    ),
    (says(500, {"error": "x"}), PlacementError, "answered 500"),
    (says(400, {"error": "query too long"}), PlacementError, r"answered 400 \(query too long\)"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), LIES)
def test_lie_is_named_and_never_a_score(
    start: Start, connect: Connect, answer: Answer, kind: type[Exception], words: str
) -> None:
    server = start()
    reranker = connect(server.url)
    reranker.check()
    server.always = answer
    with pytest.raises(kind, match=words):
        reranker.scores(QUERY, TEXTS[:1])


def test_server_that_lies_from_the_start_is_refused(start: Start, connect: Connect) -> None:
    server = start(always=says(200, {"results": []}))
    with pytest.raises(PlacementError, match="does not rerank in any known way"):
        connect(server.url).check()


def test_lone_surrogates_are_sent_as_replacement_characters(start: Start, connect: Connect) -> None:
    server = start()
    connect(server.url).scores("a\ud800", ["\udfff"])
    assert server.requests[-1]["texts"] == ["\ufffd"]


def test_costs_are_estimated_from_bytes_and_instructions_refused(connect: Connect) -> None:
    reranker = connect("http://127.0.0.1:9")
    assert reranker.costs("four", ["", "a" * 40, "é" * 40]) == [2, 12, 22]
    with pytest.raises(UsageError, match="takes no instruction"):
        reranker.scores("q", ["t"], "Find it")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h:1", ["/rerank texts", "/rerank documents", "/v1/rerank documents"]),
        ("http://h:1/v1", ["/v1/rerank documents", "/v1/rerank texts"]),
        ("http://h:1/a/rerank", ["/a/rerank texts", "/a/rerank documents"]),
    ],
)
def test_places_to_ask_come_likeliest_first(url: str, expected: list[str]) -> None:
    found = [f"{p.url.removeprefix('http://h:1')} {p.dialect}" for p in places_of(Endpoint(url))]
    assert found[: len(expected)] == expected


@pytest.mark.parametrize("url", ["ftp://h", "http://user:pw@h", "http://h/rerank?key=1", "h:80"])
def test_unusable_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        RemoteReranker(Endpoint(url))
    assert "pw" not in str(caught.value)


def test_answer_that_holds_the_texts_again_is_read(start: Start, connect: Connect) -> None:
    texts = ["word " * 1000, "\u0000" * 1000]
    server = start(style="sglang", paths=("/v1/rerank",))
    assert len(connect(f"{server.url}/v1").scores(QUERY, texts)) == 2
    assert json.dumps(server.requests[-1]["documents"]) == json.dumps(texts)
