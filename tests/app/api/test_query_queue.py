"""Queries that wait for the model: together, without a thread, dropped with their client."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakeredis import TcpFakeServer

from gated_embedder import POISON
from gated_service import Serving, serving, wait_for
from tests_support import Indexed


@pytest.fixture
def one_core(indexed: Indexed) -> Iterator[Serving]:
    with serving(indexed, threads=1) as service:
        yield service


def waiting(service: Serving) -> int:
    return sum(embedder.counters.waiting for embedder in service.state.embedders)


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [Path(hit["document"]["path"]).name for hit in answer.json()["hits"]]


def test_queries_that_wait_are_one_batch_and_hold_no_thread(one_core: Serving) -> None:
    """On one core: a thread for each of them would be thirty more than there are."""
    one_core.inner.gate.clear()
    with ThreadPoolExecutor(24) as pool:
        first = pool.submit(one_core.search, "query first")
        assert one_core.inner.entered.acquire(timeout=30)
        others = [pool.submit(one_core.search, f"query {n}") for n in range(20)]
        wait_for(lambda: waiting(one_core) == 20)
        assert names(one_core.search("yeast", "lexical")) == ["bread.md"]
        assert one_core.client.get("/collections").status_code == 200
        one_core.inner.gate.set()
        found = [future.result() for future in [first, *others]]
    assert [answer.status_code for answer in found] == [200] * 21
    assert [len(call) for call in one_core.inner.calls] == [1, 20]
    assert sorted(one_core.inner.calls[1]) == sorted(f"query {n}" for n in range(20))


def post(port: int, path: str, body: dict[str, Any]) -> socket.socket:
    """A request sent, its answer not read."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    return connection


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/search", {"query": "gone"}),
        ("/v1/embeddings", {"input": ["gone"], "model": "minilm"}),
        ("/embed", {"inputs": "gone"}),
    ],
)
def test_client_who_left_is_dropped_before_work(
    indexed: Indexed, path: str, body: dict[str, Any]
) -> None:
    with serving(indexed) as service, ThreadPoolExecutor(2) as pool:
        assert service.search("warm").status_code == 200  # its model is known from here on
        service.inner.gate.clear()
        while service.inner.entered.acquire(blocking=False):
            pass
        first = pool.submit(service.search, "first")
        assert service.inner.entered.acquire(timeout=30)
        post(service.port, path, body).close()
        [embedder] = service.state.embedders
        wait_for(lambda: embedder.counters.dropped == 1)
        assert waiting(service) == 0
        last = pool.submit(service.search, "last")
        wait_for(lambda: waiting(service) == 1)
        service.inner.gate.set()
        assert first.result().status_code == last.result().status_code == 200
    assert service.inner.calls == [("warm",), ("first",), ("last",)]
    assert service.state.turns.taken == 0


def test_more_requests_than_places_are_told_to_come_back(indexed: Indexed) -> None:
    with (
        serving(indexed, threads=1, queue_requests=2) as service,
        ThreadPoolExecutor(3) as pool,
    ):
        service.inner.gate.clear()
        accepted = [pool.submit(service.search, f"query {n}") for n in range(3)]
        wait_for(lambda: service.state.turns.taken == 3)
        for answer in (
            service.search("one too many"),
            service.client.post("/v1/embeddings", json={"input": "x", "model": "minilm"}),
        ):
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["retry-after"]) <= 600
            error = answer.json()["error"]
            assert (error["code"], error["type"]) == ("overloaded", "rate_limit_error")
            assert error["message"].startswith("3 requests are under way or wait already")
        foreign = service.client.post("/embed", json={"inputs": "x"})
        assert (foreign.status_code, foreign.json()["error_type"]) == (429, "Overloaded")
        assert "retry-after" in foreign.headers
        assert service.client.get("/health").status_code == 200
        service.inner.gate.set()
        assert [future.result().status_code for future in accepted] == [200] * 3
        assert service.search("again").status_code == 200
        assert service.state.turns.refused == 3


def test_more_tokens_than_may_wait_are_told_to_come_back(indexed: Indexed) -> None:
    with serving(indexed, queue_tokens=16) as service, ThreadPoolExecutor(2) as pool:
        service.inner.gate.clear()
        first = pool.submit(service.search, "first")
        assert service.inner.entered.acquire(timeout=30)
        second = pool.submit(service.search, "a query of ten tokens in all, not more")
        wait_for(lambda: waiting(service) == 1)
        refused = service.search("another one that will not fit beside it")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert "wait for the model already" in refused.json()["error"]["message"]
        service.inner.gate.set()
        assert first.result().status_code == second.result().status_code == 200


def test_query_asked_again_needs_no_model(one_core: Serving) -> None:
    first, again = one_core.search("dough and yeast"), one_core.search("dough and yeast")
    assert first.json()["hits"] == again.json()["hits"]
    one_core.search("dough and yeast ")
    assert one_core.inner.calls == [("dough and yeast",), ("dough and yeast ",)]
    memory = one_core.state.vectors.memory
    assert (memory.hits, memory.misses) == (1, 2)


def test_metrics_tell_of_queue_and_cache(one_core: Serving) -> None:
    for query in ("tea", "tea", "coffee"):
        one_core.search(query)
    lines = one_core.client.get("/metrics").text.splitlines()
    found = dict(line.split(" ") for line in lines if not line.startswith("#") and "{" not in line)
    expected = {
        "semsearch_cache_hits_total": 1,
        "semsearch_cache_misses_total": 2,
        "semsearch_embedded_texts_total": 3,  # with that of the start
        "semsearch_batch_tokens_count": 3,
        "semsearch_queue_size": 0,
        "semsearch_places_taken": 0,
        "semsearch_places": 65,
        "semsearch_overloaded_total": 0,
        "semsearch_dropped_total": 0,
    }
    assert {name: float(found[name]) for name in expected} == expected
    stages = {line.split('stage="')[1].split('"')[0] for line in lines if 'stage="' in line}
    assert {"tokenise", "queue", "embed"} <= stages


def test_without_memory_for_it_every_query_is_embedded_once(indexed: Indexed) -> None:
    with serving(indexed, query_cache_mib=0) as service:
        assert [service.search("tea").status_code for _ in range(2)] == [200, 200]
        assert service.inner.calls == [("tea",), ("tea",)]


def test_blank_and_broken_queries_reach_no_model(one_core: Serving) -> None:
    assert one_core.search("   ").status_code == 422
    assert one_core.search("x", instruction="Find cats").status_code == 422
    assert one_core.search("x", collection="nope").status_code == 404
    assert one_core.inner.calls == []


def test_model_that_fails_on_a_query_is_asked_once_and_the_words_answer(one_core: Serving) -> None:
    answer = one_core.search(POISON).json()
    assert (answer["degraded"], answer["mode"]) == (True, "lexical")
    assert answer["degraded_reason"].startswith("NaN")
    assert one_core.search(POISON, "dense").status_code == 503
    assert one_core.inner.calls == [(POISON,), (POISON,)]


def test_services_share_vectors_through_redis(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.search.redis_vectors._SOCKET_TIMEOUT_S", 20.0)
    monkeypatch.setattr("app.search.redis_vectors._PATIENCE_S", 20.0)
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"redis://127.0.0.1:{server.server_address[1]}/0"
    try:
        with serving(indexed, redis_url=url) as service:
            expected = service.search("hot tea").json()["hits"]
            assert service.inner.calls == [("hot tea",)]
        with serving(indexed, redis_url=url) as service:
            redis = service.state.vectors.redis
            assert redis is not None
            assert service.search("hot tea").json()["hits"] == expected
            assert (service.inner.calls, redis.hits) == ([], 1)
            redis._set_aside("it went down")
            assert service.search("cold tea").status_code == 200
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
