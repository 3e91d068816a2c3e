"""The load shared, limits kept, broken endpoints left out: by servers and by planted faults."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fake_endpoint import FakeEndpoint, status, vector_of
from indexer.embedding.pooling import finish
from indexer.embedding.remote.balance import Balancer
from indexer.embedding.remote.client import EndpointClient
from indexer.embedding.remote.embedder import RemoteEmbedder
from indexer.embedding.remote.faults import EndpointFault, Fault, MomentFault, RequestFault
from indexer.embedding.remote.retry import Backoff, Patience
from indexer.errors import ModelError, PlacementError
from indexer.types import Kind, Vectors

Start = Callable[..., FakeEndpoint]
Connect = Callable[..., RemoteEmbedder]
TEXTS = ["alpha", "beta", "gamma"]
KEY = "sk-secret-0123456789"
SHORT = Patience(retries=3, total_s=5.0)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class PlannedClient(EndpointClient):
    """Raises the planned faults, one a request, then answers."""

    def __init__(self, name: str, *faults: Fault, delay_s: float = 0.0) -> None:
        self.name, self.faults, self.delay_s = name, list(faults), delay_s
        self.asked = self.in_flight = self.most = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return self.name

    def embed(self, texts: Sequence[str]) -> Vectors:
        with self.lock:
            self.asked += 1
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
            fault = self.faults.pop(0) if self.faults else None
        time.sleep(self.delay_s)
        with self.lock:
            self.in_flight -= 1
        if fault is not None:
            raise fault
        return np.ones((len(texts), 2), dtype=np.float32)

    def close(self) -> None:
        pass


def balancer(*clients: PlannedClient, concurrency: int = 2) -> Balancer:
    return Balancer(clients, [concurrency] * len(clients), Backoff(0.01, 0.05))


def test_idle_endpoint_is_asked_before_a_busy_one() -> None:
    first, second = PlannedClient("a", delay_s=0.1), PlannedClient("b", delay_s=0.1)
    shared = balancer(first, second)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: shared.embed(["x"], SHORT), range(2)))
    assert (first.asked, second.asked) == (1, 1)


def test_callers_wait_for_a_free_place() -> None:
    client = PlannedClient("a", delay_s=0.01)
    shared = balancer(client, concurrency=3)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: shared.embed(["x"], SHORT), range(32)))
    assert (client.asked, client.most) == (32, 3)


def test_requests_that_fail_together_count_as_one_failure() -> None:
    """Else eight refused at once would wait as after eight failures in a row."""
    client = PlannedClient("a", *[MomentFault("busy")] * 8, delay_s=0.02)
    shared = balancer(client, concurrency=8)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: shared.embed(["x"], SHORT), range(8)))
    assert client.asked == 16


def test_success_does_not_end_the_wait_another_request_was_told() -> None:
    client = PlannedClient("a", MomentFault("busy", 0.3))
    shared = balancer(client)
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: shared.embed(["x"], SHORT), range(2)))
    assert client.asked == 3
    assert time.monotonic() - started >= 0.3


def test_refused_texts_are_nobodys_fault() -> None:
    client = PlannedClient("a", RequestFault("too long"))
    shared = balancer(client)
    with pytest.raises(RequestFault, match="too long"):
        shared.embed(["x"], SHORT)
    shared.embed(["x"], SHORT)
    assert client.asked == 2


def test_broken_endpoint_is_not_asked_again_at_once() -> None:
    client = PlannedClient("a", EndpointFault("no key"))
    shared = balancer(client)
    for _ in range(3):
        with pytest.raises(PlacementError, match=r"Endpoint a: no key\."):
            shared.embed(["x"], SHORT)
    assert client.asked == 1


def test_endpoint_whose_time_aside_is_over_helps_a_busy_one() -> None:
    entered, leave = threading.Event(), threading.Event()

    class StuckClient(PlannedClient):
        def embed(self, texts: Sequence[str]) -> Vectors:
            entered.set()
            assert leave.wait(30)
            return super().embed(texts)

    busy, back = StuckClient("a"), PlannedClient("b", MomentFault("busy", 0.1))
    shared = balancer(busy, back, concurrency=1)
    with ThreadPoolExecutor(2) as pool:
        stuck = pool.submit(shared.embed, ["x"], SHORT)
        assert entered.wait(30)
        pool.submit(shared.embed, ["x"], SHORT).result()  # nobody else could answer it
        leave.set()
        stuck.result()
    assert (busy.asked, back.asked) == (1, 2)


def test_check_waits_for_an_endpoint_that_is_starting() -> None:
    client = PlannedClient("a", MomentFault("loading"), MomentFault("loading"))
    balancer(client).check("ready", SHORT)
    assert client.asked == 3


def test_check_passes_when_one_of_two_works() -> None:
    broken, well = PlannedClient("a", EndpointFault("no key")), PlannedClient("b")
    shared = balancer(broken, well)
    shared.check("ready", SHORT)
    shared.embed(["x"], SHORT)
    assert (broken.asked, well.asked) == (1, 2)


def test_check_that_is_refused_after_a_wait_is_a_placement_error() -> None:
    client = PlannedClient("a", MomentFault("loading"), RequestFault("no embeddings here"))
    with pytest.raises(PlacementError, match="refuses a text of one word: no embeddings here"):
        balancer(client).check("ready", SHORT)


def test_wrong_answers_everywhere_are_the_models_fault() -> None:
    from indexer.embedding.remote.faults import AnswerFault

    first, second = PlannedClient("a", AnswerFault("NaN")), PlannedClient("b", AnswerFault("NaN"))
    with pytest.raises(ModelError, match="a: NaN; b: NaN"):
        balancer(first, second).embed(["x"], SHORT)


def test_overloaded_server_gets_fewer_requests_at_once(start: Start, connect: Connect) -> None:
    endpoint = start(script=[status(429, {})] * 2, delay_s=0.01)
    embedder = connect(endpoint.url, concurrency=4)
    texts = [f"text {n}" for n in range(32 * 6)]
    embedder.embed(texts, Kind.DOCUMENT)
    endpoint.most_in_flight = 0
    embedder.embed(texts[:64], Kind.DOCUMENT)
    assert endpoint.most_in_flight <= 3


def test_broken_endpoint_leaves_its_work_to_the_others(
    start: Start, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    broken, well = start(always=status(401, {"error": f"bad {KEY}"})), start()
    gone = f"http://127.0.0.1:{free_port()}/v1"
    texts = [f"text {n}" for n in range(200)]
    with caplog.at_level(logging.WARNING, "semsearch.remote"):
        embedder = connect(broken.url, gone, well.url, key=KEY)
        found = embedder.embed(texts, Kind.DOCUMENT)
    wanted = finish(np.stack([vector_of(text, 64) for text in texts]), 64)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert sorted(well.texts()) == sorted(texts)
    told = [record.getMessage() for record in caplog.records]
    assert len([text for text in told if broken.url in text]) == 1
    assert len([text for text in told if gone in text]) == 1
    assert KEY not in caplog.text


def test_all_endpoints_gone_names_each_with_its_fault(start: Start, connect: Connect) -> None:
    first, second = start(always=status(403)), start(always=status(500, {"message": "x y z"}))
    with pytest.raises(PlacementError, match="None of the 2 endpoints works") as caught:
        connect(first.url, second.url).embed(TEXTS, Kind.DOCUMENT)
    assert f"{first.url}/embeddings: answered 403" in str(caught.value)
    assert f"{second.url}/embeddings: answered 500 (x y z)" in str(caught.value)


def test_first_error_stops_the_run(start: Start, connect: Connect) -> None:
    endpoint = start(always=status(401))
    texts = [f"text {n}" for n in range(32 * 40)]
    with pytest.raises(PlacementError, match="answered 401"):
        connect(endpoint.url, concurrency=2).embed(texts, Kind.DOCUMENT)
    assert len(endpoint.requests) <= 4
