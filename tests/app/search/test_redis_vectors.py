"""Redis helps or it does not: whatever it does, the answer is a right vector or none, in time."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import numpy as np
import pytest
import redis
from fakeredis import TcpFakeServer

from app.search.redis_vectors import RedisVectors
from indexer.errors import UsageError
from indexer.types import Vector

KEY = bytes(range(32))
NAME = "semsearch:query:1:" + KEY.hex()


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"redis://127.0.0.1:{server.server_address[1]}/0"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def raw(server_url: str) -> Iterator["redis.Redis"]:
    """What others may do to it."""
    client = redis.Redis.from_url(server_url, protocol=2)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which Redis works: a busy machine must not make it look broken."""
    monkeypatch.setattr("app.search.redis_vectors._SOCKET_TIMEOUT_S", 20.0)
    monkeypatch.setattr("app.search.redis_vectors._PATIENCE_S", 20.0)


Open = Callable[..., RedisVectors]


@pytest.fixture
def opened() -> Iterator[Open]:
    made: list[RedisVectors] = []

    def make(url: str, ttl_s: int | None = None) -> RedisVectors:
        made.append(RedisVectors(url, ttl_s))
        return made[-1]

    yield make
    for vectors in made:
        vectors.close()
        vectors._pool.shutdown(wait=True)


def unit(dimension: int = 8) -> Vector:
    drawn = np.random.default_rng(3).standard_normal(dimension).astype(np.float32)
    vector: Vector = drawn / np.linalg.norm(drawn)
    return vector


def wait_for(condition: Callable[[], Any]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.usefixtures("patient")
def test_vector_comes_back_as_it_was(server_url: str, raw: "redis.Redis", opened: Open) -> None:
    vectors = opened(server_url)
    assert vectors.get(KEY, 8) is None
    vectors.put(KEY, unit())
    wait_for(lambda: raw.exists(NAME))
    found = vectors.get(KEY, 8)
    assert found is not None
    assert found.dtype == np.float32
    assert np.array_equal(found, unit())
    again = anyio.run(vectors.fetch, KEY, 8)
    assert again is not None
    assert np.array_equal(again, unit())
    assert (vectors.hits, vectors.misses, vectors.failures) == (2, 1, 0)
    assert raw.ttl(NAME) == -1


@pytest.mark.usefixtures("patient")
def test_vector_goes_after_its_time(server_url: str, raw: "redis.Redis", opened: Open) -> None:
    opened(server_url, 100).put(KEY, unit())
    wait_for(lambda: raw.exists(NAME))
    assert 0 < int(raw.ttl(NAME)) <= 100  # type: ignore[arg-type]


def _damaged(value: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "short": value[:-1],
        "long": value + b"x",
        "one bit": value[:5] + bytes([value[5] ^ 1]) + value[6:],
        "digest": value[:-1] + bytes([value[-1] ^ 128]),
        "text": b"{}" * 24,
        "nan": np.full(8, np.nan, "<f4").tobytes() + value[-16:],
        "huge": b"x" * 5_000_000,
    }


@pytest.mark.parametrize("how", _damaged(bytes(48)))
@pytest.mark.usefixtures("patient")
def test_damaged_value_is_not_known(
    server_url: str, raw: "redis.Redis", opened: Open, how: str
) -> None:
    vectors = opened(server_url)
    vectors.put(KEY, unit())
    wait_for(lambda: raw.exists(NAME))
    value: Any = raw.get(NAME)
    raw.set(NAME, _damaged(value)[how])
    assert vectors.get(KEY, 8) is None
    raw.set(NAME, value)
    assert vectors.get(KEY, 8) is not None
    assert vectors.failures == 0


@pytest.mark.usefixtures("patient")
def test_value_of_another_query_length_or_kind_is_not_known(
    server_url: str, raw: "redis.Redis", opened: Open
) -> None:
    vectors = opened(server_url)
    vectors.put(KEY, unit())
    vectors.put(bytes(32), 2 * unit())  # a digest of ours, but no unit vector
    other = "semsearch:query:1:" + bytes(32).hex()
    wait_for(lambda: raw.exists(NAME) and raw.exists(other))
    assert vectors.get(bytes(32), 8) is None
    raw.set(other, raw.get(NAME))  # type: ignore[arg-type]
    assert vectors.get(bytes(32), 8) is None
    assert vectors.get(KEY, 4) is None
    raw.delete(NAME)
    raw.lpush(NAME, "a list")
    assert vectors.get(KEY, 8) is None
    raw.delete(NAME)
    vectors.put(KEY, unit())
    wait_for(lambda: raw.exists(NAME))
    assert vectors.get(KEY, 8) is not None


def broken_server(answer: Callable[[socket.socket], None]) -> tuple[str, socket.socket]:
    """A server that does this to each connection."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        try:
            with connection:
                connection.recv(4096)
                answer(connection)
        except OSError:
            return

    threading.Thread(target=serve, daemon=True).start()
    return f"redis://:secret@127.0.0.1:{listening.getsockname()[1]}/0", listening


def silent(connection: socket.socket) -> None:
    connection.recv(1)  # until the other side gives up


def hangs_up(connection: socket.socket) -> None:
    return


def drips(connection: socket.socket) -> None:
    for _ in range(100):
        connection.sendall(b"+")
        time.sleep(0.03)


def says(*words: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        for word in words:
            connection.sendall(word)
            connection.recv(4096)

    return answer


GARBAGE = [
    says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    says(b"$x\r\n" * 9),
    says(b"+OK\r\n", b"+OK\r\n", b"+OK\r\n", b"$-5\r\n" * 3),
    says(b"\xff\xfe\x00\r\n" * 9),
    says(b"*1000000\r\n" * 9),
    says(b"-NOAUTH no\r\n" * 9),
    says(b"-LOADING Redis is loading\r\n" * 9),
    says(b":12\r\n" * 9),
]


@pytest.mark.parametrize("answer", [silent, hangs_up, drips, *GARBAGE])
def test_broken_server_is_no_error_and_is_left_alone(
    opened: Open, caplog: pytest.LogCaptureFixture, answer: Callable[[socket.socket], None]
) -> None:
    url, listening = broken_server(answer)
    vectors = opened(url)
    with listening, caplog.at_level(logging.WARNING):
        assert vectors.get(KEY, 8) is None
        assert anyio.run(vectors.fetch, KEY, 8) is None
        vectors.put(KEY, unit())
    assert vectors.hits == 0
    assert "secret" not in caplog.text


def test_server_that_is_down_is_asked_once_in_a_while_and_told_of_once(
    opened: Open, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    vectors = opened(f"redis://127.0.0.1:{port}/0")
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            assert vectors.get(KEY, 8) is None
            assert anyio.run(vectors.fetch, KEY, 8) is None
            vectors.put(KEY, unit())
    assert vectors.failures == 1
    assert caplog.text.count("Redis does not help") == 1
    monkeypatch.setattr("app.search.redis_vectors._ASIDE_S", 0.0)
    vectors._aside_until = 0.0
    assert vectors.get(KEY, 8) is None
    assert vectors.failures == 2


@pytest.mark.usefixtures("patient")
def test_server_that_comes_back_is_used_again(
    server_url: str, raw: "redis.Redis", opened: Open
) -> None:
    vectors = opened(server_url)
    vectors._set_aside("it was down")
    assert vectors.get(KEY, 8) is None
    vectors._aside_until = 0.0
    vectors.put(KEY, unit())
    wait_for(lambda: raw.exists(NAME))
    assert vectors.get(KEY, 8) is not None


@pytest.mark.parametrize(
    "url", ["redis://:pa#ss@host:1/0", "redis://host:port/0", "redis://h/x?db=y"]
)
def test_address_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UsageError, match="redis_url is no address") as refused:
        RedisVectors(url)
    assert "pa" not in str(refused.value).replace("package", "")


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "redis", None)
    with pytest.raises(UsageError, match=r"pip install 'semsearch\[redis\]'"):
        RedisVectors("redis://127.0.0.1:6379/0")
