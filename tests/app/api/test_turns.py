"""Requests take turns on the cores, and those that wait for a model stand in nobody's way."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import anyio
import pytest
from fastapi.testclient import TestClient

from app.api.application import create_app
from app.api.state import State
from app.api.turns import Turns
from app.settings import Settings
from indexer.errors import OverloadedError
from tests_support import Indexed, clean_environment

CLIENTS = 16


def service_of(indexed: Indexed, **flags: Any) -> TestClient:
    with clean_environment(indexed.home):
        app = create_app(Settings.load(flags=flags))
    return TestClient(app, base_url="http://127.0.0.1:8765")


def state_of(service: TestClient) -> State:
    state = service.app.state.semsearch  # type: ignore[attr-defined]
    assert isinstance(state, State)
    return state


def ask(service: TestClient, mode: str) -> list[str]:
    answer = service.post("/search", json={"query": "yeast", "mode": mode})
    assert answer.status_code == 200, answer.text
    return [hit["document"]["path"].rpartition("/")[2] for hit in answer.json()["hits"]]


@pytest.mark.parametrize("threads", [1, 3])
def test_no_more_requests_run_at_once_than_there_are_threads(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    running, most, lock = 0, 0, threading.Lock()
    with service_of(indexed, threads=threads) as service:
        state = state_of(service)
        search = state.service.search

        def counted(*arguments: Any, **options: Any) -> Any:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.02)  # as long as a search takes, so that all are there at once
            try:
                return search(*arguments, **options)
            finally:
                with lock:
                    running -= 1

        monkeypatch.setattr(state.service, "search", counted)
        with ThreadPoolExecutor(CLIENTS) as pool:
            found = list(pool.map(lambda _: ask(service, "lexical"), range(4 * CLIENTS)))
    assert found == [["bread.md"]] * (4 * CLIENTS)
    assert most == threads


def test_searches_that_wait_for_a_model_leave_the_cores_to_others(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model may be downloaded for minutes; twice as many wait for it here as there are turns."""
    loaded = threading.Event()
    with service_of(indexed, threads=1) as service, ThreadPoolExecutor(2) as pool:
        state = state_of(service)
        embedder = state.service.embedder

        def slow(contract: Any) -> Any:
            assert loaded.wait(60)
            return embedder(contract)

        monkeypatch.setattr(state.service, "embedder", slow)
        waiting = [pool.submit(ask, service, "dense") for _ in range(2)]
        try:
            assert ask(service, "lexical") == ["bread.md"]
            assert service.get("/health").status_code == 200
            assert not any(future.done() for future in waiting)
        finally:
            loaded.set()
        assert [future.result()[0] for future in waiting] == ["bread.md"] * 2


def test_requests_that_wait_for_an_endpoint_are_no_load(indexed: Indexed) -> None:
    flags = {"threads": 2, "endpoint_concurrency": 3}
    urls = ("http://one:1/v1", "http://two:1/v1")
    with clean_environment(indexed.home):
        assert Turns(Settings.load(flags=flags)).at_once == 2
        assert Turns(Settings.load(flags={**flags, "endpoints": urls})).at_once == 2 + 6
        local = {**flags, "endpoints": urls, "placement": "cpu"}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SEMSEARCH_ENDPOINTS", ",".join(urls))
            local.pop("endpoints")
            assert Turns(Settings.load(flags=local)).at_once == 2


def test_what_was_loaded_once_is_not_asked_for_again_however_it_is_named(indexed: Indexed) -> None:
    """Requests may name the same collections in any order and number of times."""
    asked: list[str] = []

    def load() -> bool:
        asked.append("load")
        return True

    async def requests() -> None:
        turns = Turns(settings)
        for needs in (["a"], ["a", "a"], ["a", "b"], ["b", "a", "b"], []):
            await turns.load(needs, load)

    with clean_environment(indexed.home):
        settings = Settings.load(flags={"threads": 1})
    anyio.run(requests)
    assert len(asked) == 2


def test_line_is_short_while_more_come_than_can_be_answered(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long line would make all that are let in wait as long as it is."""
    now = [100.0]
    monkeypatch.setattr("app.api.turns.time.monotonic", lambda: now[0])
    with clean_environment(indexed.home):
        turns = Turns(Settings.load(flags={"threads": 2, "queue_requests": 30}))
    with ExitStack() as burst:
        for _ in range(32):
            burst.enter_context(turns.place())
        assert turns.places == 32
        with pytest.raises(OverloadedError):
            burst.enter_context(turns.place())
        assert turns.places == 16
    with ExitStack() as flood:
        for _ in range(16):
            flood.enter_context(turns.place())
        now[0] += 4.9
        with pytest.raises(OverloadedError):
            flood.enter_context(turns.place())
        now[0] += 4.9  # less than 5 s after the last that was sent away
        assert turns.places == 16
        now[0] += 0.2
        assert turns.places == 32
        flood.enter_context(turns.place())
    assert (turns.taken, turns.refused) == (0, 2)
