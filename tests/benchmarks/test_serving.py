"""The load generator against servers that do as they are told, and what is made of its figures."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS / "serving"), str(BENCHMARKS / "index")]

import clients  # noqa: E402 - after the path
import generator  # noqa: E402
import naive_server  # noqa: E402
import overhead  # noqa: E402
import overload  # noqa: E402
import while_indexing  # noqa: E402
from doors import DOORS  # noqa: E402
from load import read_outcome  # noqa: E402
from made_files import commit_rows, plain_contract  # noqa: E402
from passages import documents_of, queries_of, read_passages  # noqa: E402
from watch import slope_per_minute  # noqa: E402

from app.api.document_schemas import PutRequest  # noqa: E402
from app.api.schemas import EmbeddingRequest  # noqa: E402
from app.api.search_schemas import SearchRequest  # noqa: E402
from app.search.query import Mode  # noqa: E402
from app.search.service import SearchService  # noqa: E402
from indexer.modes import Mode as ModelMode  # noqa: E402
from indexer.modes import Placement, Precision  # noqa: E402
from indexer.storage.collection import Collection  # noqa: E402
from indexer.storage.commit import Writer  # noqa: E402

Answer = Callable[[str], Awaitable[tuple[int, bytes] | None]]  # None: hang up
GOOD = (200, b'{"degraded_reason":null}')


class FakeServer:
    """Counts connections and remembers queries; `answer` says what each one gets."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.queries: list[str] = []
        self.connections = 0
        self._serving: list[asyncio.Task[Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.append(task)
        with closing(writer):
            while head := await _head(reader):
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                query = json.loads(await reader.readexactly(length))["query"]
                self.queries.append(query)
                answer = await self._answer(query)
                if answer is None:
                    return
                status, body = answer
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)))
                writer.write(body)

    def ask(self, items: list[str], *phases: dict[str, Any], again: bool = False) -> list[Any]:
        """The outcomes of the phases, asked through the door of a hybrid search."""

        async def run() -> dict[str, Any]:
            async with await asyncio.start_server(self.serve, "127.0.0.1", 0) as server:
                host, port = server.sockets[0].getsockname()
                plan = {"host": host, "port": port, "door": "ours hybrid", "again": again}
                found = await generator.run(plan | {"items": items, "phases": list(phases)})
                await asyncio.gather(*self._serving)  # the generator has hung up
                return found

        return [read_outcome(found) for found in asyncio.run(run())["phases"]]


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def phase(clients: int = 0, rate: float | None = None, seconds: float | None = None) -> Any:
    return {"clients": clients, "rate": rate, "seconds": seconds}


def test_waiting_clients_ask_everything_once_over_kept_connections() -> None:
    async def answer(_: str) -> tuple[int, bytes]:
        return GOOD

    server, items = FakeServer(answer), [f"q{i}" for i in range(20)]
    (found,) = server.ask(items, phase(clients=3))
    assert sorted(server.queries) == sorted(items)
    assert server.connections == 3
    assert found.counts == {"200": 20}


def test_refusals_degraded_answers_and_hang_ups_are_told_apart_and_not_repeated() -> None:
    answers = {"busy": (429, b"{}"), "words": (200, b'{"degraded_reason":"no"}'), "gone": None}

    async def answer(query: str) -> tuple[int, bytes] | None:
        return answers.get(query, GOOD)

    server = FakeServer(answer)
    (found,) = server.ask(["well", "gone", "busy", "words", "well"], phase(clients=1))
    assert found.counts == {"200": 2, "IncompleteReadError": 1, "429": 1, "degraded": 1}
    assert len(server.queries) == 5
    assert len(found.accepted_ms) == 2
    with pytest.raises(SystemExit, match="not only good answers"):
        found.require_good()


def test_arrivals_do_not_wait_and_go_on_beside_the_next_phase() -> None:
    """None of the first phase is answered before somebody asks in the second."""
    held = asyncio.Event()
    arrived = 0

    async def answer(_: str) -> tuple[int, bytes]:
        nonlocal arrived
        arrived += 1
        if arrived > expected:
            held.set()
        await held.wait()
        return GOOD

    expected = 11  # what the seeded arrivals come to in 0.05 s at 200 a second
    flood, after = FakeServer(answer).ask(
        ["a", "b"], phase(rate=200, seconds=0.05), phase(clients=1, seconds=0.01), again=True
    )
    assert flood.counts == {"200": expected}
    assert set(after.counts) == {"200"}


@pytest.mark.parametrize("mode", list(Mode))
def test_our_doors_ask_what_the_service_takes(mode: Mode) -> None:
    asked = SearchRequest.model_validate(body_of(DOORS[f"ours {mode}"].request("tea")))
    assert (asked.query, asked.mode, asked.k) == ("tea", mode, 10)
    embedded = EmbeddingRequest.model_validate(body_of(DOORS["ours embeddings"].request(["tea"])))
    assert embedded.input == ["tea"]
    stored = PutRequest.model_validate(while_indexing.request(["a", "b"], "other")["json"])
    assert [document.text for document in stored.documents] == ["a", "b"]
    assert (stored.collection, stored.create) == ("other", True)


def body_of(request: bytes) -> Any:
    return json.loads(request.partition(b"\r\n\r\n")[2])


def outcome(ms: list[float], status: list[str] | None = None, **given: Any) -> Any:
    count = len(ms)
    columns = {"at_s": [float(i) for i in range(count)], "ms": ms, "late_ms": [0.0] * count}
    times = {"started_s": 0.0, "wall_s": float(count), "cpu_share": 0.1}
    return read_outcome(columns | times | {"status": status or ["200"] * count} | given)


def test_recovery_begins_with_the_first_long_row_of_quick_answers() -> None:
    slow, refused = [900.0] * 3 + [10.0] * 30, ["200"] * 5 + ["429"] + ["200"] * 27
    assert overload.recovery_s(outcome(slow, refused), 100) == 6
    assert overload.recovery_s(outcome([900.0] * 40), 100) is None


def test_memory_grows_by_the_minute() -> None:
    assert slope_per_minute([(0, 100), (30, 101), (60, 102)]) == pytest.approx(2)


def test_overload_promises_are_held_against_the_measured_figures() -> None:
    calm = overload.figures(outcome([10.0] * 10))
    flood = overload.figures(outcome([30.0] * 10, ["200"] * 8 + ["429", "timeout"]))
    rows = {"1 client": calm, "80 %": calm, "200 %": flood, "1 client after": calm}
    memory = [(float(second), 300.0) for second in range(10)]
    found = {"rows": rows, "capacity_per_s": 50.0, "recovery_s": 1.5, "memory_mib": memory}
    kept = {goal.what: goal.kept for goal in overload.goals(found)}
    assert kept == {"statuses": False, "accepted p99": False, "memory": True, "recovery": True}
    assert "| 200 % | 200: 8, 429: 1, timeout: 1 | 0.8 |" in overload.show(found)


def test_ratios_to_the_naive_server_are_taken_within_a_round() -> None:
    """The last round ran at half the speed for both."""
    rows = [
        {"what": "search", "clients": 32, "server": name, "per_s": speed / slow, "p99_ms": 9.0}
        for slow in (1, 1, 2)
        for name, speed in (("ours, hybrid", 400.0), ("naive", 100.0))
    ]
    figures = clients.summary(rows)
    assert figures["search", 32, "ours, hybrid"]["x_naive"] == 4
    assert figures["search", 32, "naive"]["per_s"] == 100
    assert [goal.kept for goal in clients.goals(figures)] == [True, True]


def test_turns_never_ask_the_same_twice_but_where_that_is_the_point(tmp_path: Path) -> None:
    folder = tmp_path / "collections" / "c"
    folder.mkdir(parents=True)
    make_catalog(folder / "catalog.sqlite3", 200)
    given = SimpleNamespace(home=tmp_path, collection="c", clients=[1, 8], queries=10, rounds=2)
    turns = clients.turns_of(given)  # type: ignore[arg-type]
    search = list(turns[clients.SEARCH])
    assert [turn.what for turn in search] == [clients.SEARCH, clients.SEARCH, clients.REPEATED] * 2
    asked = [item for turn in search if turn.what == clients.SEARCH for item in turn.items]
    asked += [
        item[0] for turn in turns["embeddings"] if turn.what == clients.TEXT for item in turn.items
    ]
    assert len(asked) == len(set(asked)) == 80
    assert not set(asked) & set(search[2].items)


def make_catalog(path: Path, count: int) -> None:
    """Chunks of twenty words, and three that the queries must not hold."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE chunks (id INTEGER, embedding_id INTEGER, text TEXT)")
        connection.execute("CREATE TABLE embeddings (id INTEGER, vector BLOB)")
        for number in range(count):
            words = [f"w{number}x{i}" for i in range(20)]
            text = " ".join(['"quoted', "-minus", "long" * 20, *words])
            vector = np.eye(4, dtype="<f2")[number % 4]
            connection.execute("INSERT INTO chunks VALUES (?, ?, ?)", (number, number, text))
            connection.execute("INSERT INTO embeddings VALUES (?, ?)", (number, vector.tobytes()))


def test_queries_are_plain_words_all_different_and_run_out_loudly(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.sqlite3"
    make_catalog(catalog, 3)
    queries = queries_of(catalog, 6)  # two stretches of each chunk
    assert len(set(queries)) == 6
    assert all(len(query.split()) == 8 and '"' not in query for query in queries)
    assert not any("-" in query or "longlong" in query for query in queries)
    with pytest.raises(SystemExit, match="only 6 different queries, 7 are needed"):
        queries_of(catalog, 7)
    assert len(documents_of(catalog, 3)) == 3


def test_naive_server_finds_the_nearest_row_and_answers_its_doors(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.sqlite3"
    make_catalog(catalog, 4)
    passages = read_passages(catalog)
    assert passages.ids == [0, 1, 2, 3]

    class Model:
        def encode(self, texts: list[str]) -> Any:
            return np.eye(4, dtype=np.float32)[[int(text) for text in texts]]

    with TestClient(naive_server.create_app(passages, Model())) as client:
        found = client.post("/search", json={"query": "2", "k": 2})
        embedded = client.post("/v1/embeddings", json={"model": "m", "input": ["1", "3"]})
    assert found.json()[0] == {"id": 2, "score": 1.0, "text": passages.texts[2]}
    assert DOORS["naive"].holds in found.content
    assert embedded.json()["data"][1]["embedding"] == [0, 0, 0, 1]
    assert DOORS["naive embeddings"].holds in embedded.content


def test_overhead_is_the_median_over_rounds_and_names_the_stages() -> None:
    rows = [
        {"where": where, "mode": "hybrid", "p50_ms": p50, "p99_ms": 19.0, "stages": {"dense": 1.5}}
        for where in overhead.HELD
        for p50 in (5.0, 7.0, 5.5)
    ]
    assert [goal.kept for goal in overhead.goals(overhead.summary(rows))] == [True] * 4
    shown = overhead.show({"rows": rows})
    assert "| in process | hybrid | 5.50 | 19.00 |" in shown
    assert "dense 1.50" in shown


def test_overhead_asks_the_model_once_for_each_query(tmp_path: Path) -> None:
    class Model:
        mode = ModelMode(Placement.CPU, Precision.FP32)
        texts: list[str] = []

        def embed(self, texts: list[str], *_: Any) -> Any:
            self.texts += texts
            return np.eye(8, dtype=np.float32)[: len(texts)]

    with Writer.open(tmp_path, plain_contract(8)) as writer:
        commit_rows(writer, np.eye(8), ["green tea", "black coffee"])
        writer.sync()
    model = Model()
    service = SearchService(lambda _: model, vector_of=overhead.remembered())  # type: ignore[arg-type,return-value]
    with Collection.open(tmp_path) as collection:
        for _ in range(2):
            found = overhead.answered(service, {"c": collection}, ["tea", "coffee"], Mode.HYBRID)
    assert model.texts == ["tea", "coffee"]
    assert len(found["ms"]) == 2
    assert {"dense", "lexical"} <= found["stages"].keys()


def test_indexing_may_double_the_idle_p99_and_add_a_batch() -> None:
    def rows(p99: float) -> list[dict[str, float]]:
        return [{"p50_ms": 5.0, "p99_ms": p99, "generator_share": 0.01}]

    found = {"rate": 5.0, "batch_ms": 250.0, "rows": {"idle": rows(20), "indexing": rows(290)}}
    assert "2 x idle + a batch of 250 ms | 290 ms | kept |" in while_indexing.show(found)
    found["rows"] = {"idle": rows(20), "indexing": rows(291)}
    assert "**missed**" in while_indexing.show(found)
