"""A real server and raw sockets: senders that stop half way, dribble, or never begin."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn
from fastapi import FastAPI, Response

from app.api.guard.body import BODY_S, BodyLimit
from app.api.guard.connection import HEADERS_S, PatientProtocol, server_options

LONG_S = 20.0  # what no test waits for: an end that should come comes after a few tenths
PATIENCE_S = 0.3
LARGE = 20 << 20  # more than both sides' kernels hold back


class Impatient(PatientProtocol):
    headers_s = PATIENCE_S
    body_s = PATIENCE_S + 0.3
    unread_s = PATIENCE_S


@contextmanager
def serving(protocol: type[PatientProtocol], body_s: float) -> Iterator[uvicorn.Server]:
    """A small service behind the guards of the connection and the body."""
    app = FastAPI()

    @app.post("/")
    def length(body: list[int]) -> int:
        return len(body)

    @app.get("/large")
    def large() -> Response:
        return Response(bytes(LARGE))

    app.add_middleware(BodyLimit, max_kib=64, body_s=body_s)
    options = {**server_options(), "http": protocol, "log_config": None, "log_level": "critical"}
    options["timeout_keep_alive"] = 1
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join()


def port_of(server: uvicorn.Server) -> int:
    return int(server.servers[0].sockets[0].getsockname()[1])


@pytest.fixture(scope="module")
def server() -> Iterator[uvicorn.Server]:
    with serving(Impatient, PATIENCE_S) as started:
        yield started


@pytest.fixture
def port(server: uvicorn.Server) -> int:
    return port_of(server)


@pytest.fixture
def connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=LONG_S) as opened:
        yield opened


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def read_answer(connection: socket.socket) -> bytes:
    """One short answer of a connection that stays open."""
    answer = b""
    while b"\r\n\r\n" not in answer or answer.endswith(b"\r\n\r\n"):
        part = connection.recv(65_536)
        assert part, answer
        answer += part
    return answer


def request(body: bytes, **headers: str) -> bytes:
    lines = {"Host": "127.0.0.1", "Content-Type": "application/json", **headers}
    if "Transfer_Encoding" not in headers:
        lines.setdefault("Content_Length", str(len(body)))
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"POST / HTTP/1.1\r\n{head}\r\n".encode() + body


def dribble(connection: socket.socket, piece: bytes) -> None:
    """Send a piece over and over until the server has had enough."""
    until = time.monotonic() + LONG_S
    try:
        while time.monotonic() < until:
            connection.sendall(piece)
            time.sleep(PATIENCE_S / 10)
    except OSError:
        return
    raise AssertionError("the server took it all")


def test_connection_that_sends_nothing_is_closed(connection: socket.socket) -> None:
    assert read_all(connection) == b""


def test_half_a_header_is_closed_though_more_comes(connection: socket.socket) -> None:
    connection.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    dribble(connection, b"X-A: b\r\n")


def test_half_a_body_is_answered_408_and_closed(connection: socket.socket) -> None:
    connection.sendall(request(b"[1, 2", Content_Length="100"))
    answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer


def test_body_that_dribbles_is_answered_408(connection: socket.socket) -> None:
    connection.sendall(request(b"[", Content_Length="1000"))
    dribble(connection, b"1")


def test_chunks_that_dribble_are_answered_408(connection: socket.socket) -> None:
    connection.sendall(request(b"", Transfer_Encoding="chunked"))
    dribble(connection, b"1\r\n[\r\n")


def test_refused_body_is_drained_so_that_the_answer_arrives(connection: socket.socket) -> None:
    """Closing at once would reset the connection under a client that still sends."""
    connection.sendall(request(b"x" * 300_000))
    assert read_answer(connection).startswith(b"HTTP/1.1 413 ")
    connection.sendall(request(b"[1, 2, 3]"))
    assert read_answer(connection).endswith(b"3")


def test_refused_body_that_never_ends_is_closed(connection: socket.socket) -> None:
    connection.sendall(request(b"x" * 10, Content_Length="10000000"))
    assert read_answer(connection).startswith(b"HTTP/1.1 413 ")
    dribble(connection, b"x")


def test_next_request_of_a_connection_has_its_own_time(connection: socket.socket) -> None:
    for count in range(3):
        body = b"[" + b",".join([b"1"] * count) + b"]"
        whole = request(body)
        connection.sendall(whole[:30])
        time.sleep(PATIENCE_S / 2)
        connection.sendall(whole[30:])
        assert read_answer(connection).endswith(str(count).encode())


def test_answer_that_nobody_reads_is_not_kept_for_ever(
    server: uvicorn.Server, connection: socket.socket
) -> None:
    connection.sendall(b"GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    until = time.monotonic() + LONG_S
    while not server.server_state.connections:
        assert time.monotonic() < until
    while server.server_state.connections:
        assert time.monotonic() < until, "the connection is still held"
        time.sleep(0.05)


def test_hundreds_of_idle_connections_keep_nobody_out(port: int, connection: socket.socket) -> None:
    with ExitStack() as opened:
        idle = [
            opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=LONG_S))
            for _ in range(300)
        ]
        connection.sendall(request(b"[1]"))
        assert read_answer(connection).endswith(b"1")
        assert [read_all(each) for each in idle] == [b""] * 300


@pytest.mark.load
def test_a_thousand_idle_connections_leave_others_as_fast_and_are_cut() -> None:
    """Half of them have sent half a request. Times are those that the service has by default."""

    def slowest_of_many(port: int) -> float:
        """The 99th percentile of 500 requests, in seconds."""
        took = []
        with socket.create_connection(("127.0.0.1", port), timeout=LONG_S) as asking:
            for _ in range(500):
                started = time.perf_counter()
                asking.sendall(request(b"[1]"))
                assert read_answer(asking).endswith(b"1")
                took.append(time.perf_counter() - started)
        return sorted(took)[494]

    with serving(PatientProtocol, BODY_S) as server, ExitStack() as opened:
        port = port_of(server)
        before_s = slowest_of_many(port)
        started = time.monotonic()
        idle = [
            opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=LONG_S))
            for _ in range(1000)
        ]
        for each in idle[:500]:
            each.sendall(b"POST / HTTP/1.1\r\nHost: ")
        during_s = slowest_of_many(port)
        assert time.monotonic() - started < HEADERS_S, "they were cut before they could disturb"
        assert [read_all(each) for each in idle] == [b""] * 1000
        assert time.monotonic() - started < HEADERS_S + 5
    assert during_s < 2 * before_s + 0.005
