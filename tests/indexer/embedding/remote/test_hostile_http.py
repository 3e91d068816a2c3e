"""Answers that are not HTTP, or HTTP at its worst: always an error of ours, never another."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.embedding.remote.client import EndpointClient
from indexer.embedding.remote.embedder import RemoteEmbedder
from indexer.embedding.remote.faults import Fault
from indexer.embedding.wishes import Endpoint
from indexer.errors import SemsearchError
from indexer.types import Kind

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A socket that reads a request, sends these bytes and hangs up; its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        stopped = threading.Event()

        def run() -> None:
            while not stopped.is_set():
                with suppress(TimeoutError, OSError):
                    connection, _ = listening.accept()
                    with connection:
                        connection.settimeout(1)
                        connection.recv(65_536)
                        connection.sendall(answer)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        stopped.set()
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00" * 100,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 999 ???\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 -1 X\r\n\r\n",
        HEAD + b"Content-Length: -5\r\n\r\n{}",
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        HEAD + b"Content-Length: 99999999999999999999\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}",
        HEAD + b"X: " + b"y" * 200_000 + b"\r\n\r\n{}",
        HEAD + b"X-" * 50_000,
        HEAD + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: //\x00\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 Slow\r\nRetry-After: 1e999\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 429 Slow\r\nRetry-After: " + b"9" * 5000 + b"\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"Content-Length: 12\r\n\r\n" + b'{"a": 1e9999}'[:12],
        HEAD + b"\r\n" + b'{"data": ' + b"9" * 10_000 + b"}",
    ],
)
def test_hostile_answer_is_an_error_of_ours(
    connect: Callable[..., RemoteEmbedder], answer: bytes
) -> None:
    with answering(answer) as url, pytest.raises(SemsearchError, match=f"Endpoint {url}/embed"):
        connect(url, timeout_s=2.0).embed(["a"], Kind.QUERY)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"HTTP/1.1 ", HEAD, HEAD + b"\r\n"]))
def test_any_bytes_are_a_fault(body: bytes, head: bytes) -> None:
    with answering(head + body) as url:
        client = EndpointClient(Endpoint(url, timeout_s=2.0), "tiny-qwen3", 64)
        with pytest.raises(Fault) as caught:
            client.embed(["a"])
        client.close()
    assert str(caught.value).isprintable()
