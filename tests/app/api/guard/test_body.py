"""Bodies that are too large or too slow, however they are sent and whatever they hold."""

import tracemalloc
from collections.abc import AsyncIterator, Callable

import anyio
import pytest
from pydantic import ValidationError
from starlette.types import Message, Receive, Scope, Send

from app.api.guard.body import BodyLimit
from app.api.schemas import EmbeddingRequest
from guarded_service import Guarded

LIMIT_KIB = 64  # of `open_app`
KINDS = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "",
]
# Each of these would be parsed at some cost if it came that far.
STARTS = {
    "application/x-www-form-urlencoded": b"a=1&",
    "multipart/form-data; boundary=x": b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1",
}


def scope(**headers: str) -> Scope:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "method": "POST",
        "path": "/search",
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"host", b"127.0.0.1"), *named],
    }


async def exchange(
    app: Callable[..., object], connection: Scope, chunks: AsyncIterator[bytes]
) -> tuple[int, bytes, int]:
    """(status, body, chunks taken) of a body that comes chunk by chunk."""
    taken = 0
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal taken
        async for chunk in chunks:
            taken += 1
            return {"type": "http.request", "body": chunk, "more_body": True}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(connection, receive, send)  # type: ignore[misc]
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"] if sent else 0, body, taken


async def endless(start: bytes) -> AsyncIterator[bytes]:
    for _ in range(10_000):  # 640 MB
        yield start * (65_536 // len(start))


@pytest.mark.parametrize("kind", KINDS)
def test_endless_chunks_of_any_kind_are_refused_in_little_memory(
    open_app: Guarded, kind: str
) -> None:
    chunks = endless(STARTS.get(kind, b"["))
    tracemalloc.start()
    try:
        status, body, taken = anyio.run(
            exchange, open_app.app, scope(content_type=kind, transfer_encoding="chunked"), chunks
        )
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (status, taken) == (413, 2)
    assert b'"code":"too_large"' in body
    assert peak_bytes < 10 << 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [str((LIMIT_KIB << 10) + 1), "9" * 30, "9" * 5000])
def test_length_that_is_too_large_is_refused_unread(
    open_app: Guarded, kind: str, length: str
) -> None:
    connection = scope(content_type=kind, content_length=length)
    status, _, taken = anyio.run(exchange, open_app.app, connection, endless(b"x"))
    assert (status, taken) == (413, 0)


def test_length_that_lies_does_not_help(open_app: Guarded) -> None:
    connection = scope(content_type="application/json", content_length="10")
    status, _, _ = anyio.run(exchange, open_app.app, connection, endless(b"["))
    assert status == 413


def test_largest_body_is_taken_and_one_byte_more_is_not(open_app: Guarded) -> None:
    def ask(size: int) -> int:
        start = b'{"mode": "lexical", "query": "yeast"'
        content = start + b" " * (size - len(start) - 1) + b"}"
        headers = {"content-type": "application/json"}
        return open_app.ask("POST", "/search", content=content, headers=headers).status_code

    assert ask(LIMIT_KIB << 10) == 200
    assert ask((LIMIT_KIB << 10) + 1) == 413


@pytest.mark.parametrize("item", [b"{}", b"null", b"[{}]", b'""', b"1"])
@pytest.mark.parametrize("path", ["/search", "/v1/embeddings"])
def test_body_of_too_many_values_is_not_parsed(guarded: Guarded, path: str, item: bytes) -> None:
    """A validator's errors took 4.9 GB for 4 MiB of `{}`."""
    content = b'{"model": "m", "input": [' + b",".join([item] * 320_000) + b"]}"
    headers = {"content-type": "application/json"}
    tracemalloc.start()
    try:
        answer = guarded.ask("POST", path, "search", content=content, headers=headers)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert peak_bytes < 10 << 20


def test_as_many_token_ids_as_openai_takes_are_let_through(guarded: Guarded) -> None:
    lists = [[12345] * 146] * 2048
    body = {"model": "unknown", "input": lists}
    answer = guarded.ask("POST", "/v1/embeddings", "search", json=body)
    assert "is not served here" in answer.json()["error"]["message"]


def test_list_that_does_not_fit_is_refused_for_its_first_item(guarded: Guarded) -> None:
    body = {"model": "m", "input": [{}] * 100_000}
    with pytest.raises(ValidationError) as caught:
        EmbeddingRequest.model_validate(body)
    assert caught.value.error_count() <= 4
    answer = guarded.ask("POST", "/v1/embeddings", "search", json=body)
    assert answer.status_code == 422
    assert "input" in answer.json()["error"]["message"]


def test_body_without_a_key_is_not_even_read(guarded: Guarded) -> None:
    connection = scope(transfer_encoding="chunked")
    status, _, taken = anyio.run(exchange, guarded.app, connection, endless(b"["))
    assert (status, taken) == (401, 0)


async def length_of_body(connection: Scope, receive: Receive, send: Send) -> None:
    """An application that answers how long the body was, then hears that the sender has gone."""
    message = await receive()
    assert message["more_body"] is False
    assert (await receive())["type"] == "http.disconnect"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(len(message["body"])).encode()})


def test_body_comes_whole_and_then_what_the_connection_says() -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": b"abc", "more_body": True},
        {"type": "http.request", "body": b"de"},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    anyio.run(BodyLimit(length_of_body, max_kib=1), scope(), receive, send)
    assert sent[1]["body"] == b"5"


def test_body_that_does_not_come_is_answered_408_and_reaches_no_route() -> None:
    async def unreached(*_: object) -> None:
        raise AssertionError

    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        await anyio.sleep(60)

    app = BodyLimit(unreached, max_kib=1, body_s=0.05)
    status, body, taken = anyio.run(exchange, app, scope(), half())
    assert (status, taken) == (408, 1)
    assert b'"code":"too_slow"' in body


def test_sender_that_left_is_not_answered() -> None:
    async def unreached(*_: object) -> None:
        raise AssertionError

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    anyio.run(BodyLimit(unreached, max_kib=1), scope(), gone, unreached)
