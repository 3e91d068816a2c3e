"""The asynchronous client says what the other one says."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import pytest

from semsearch import AsyncClient, Client, errors

T = TypeVar("T")


def run(url: str, use: Callable[[AsyncClient], Awaitable[T]]) -> T:
    async def with_client() -> T:
        async with AsyncClient(url) as client:
            return await use(client)

    return anyio.run(with_client)


def test_async_client_finds_what_the_client_finds(service_url: str) -> None:
    with Client(service_url) as client:
        expected = client.search("hot water", k=2, where="type:md")
        document = client.document(expected[0].document_id)
        listed = list(client.documents())
        similar = client.similar(document.document_id, k=2)

    async def use(client: AsyncClient) -> Any:
        return (
            await client.search("hot water", k=2, where="type:md"),
            await client.document(document.document_id),
            [one async for one in client.documents()],
            await client.similar(document.document_id, k=2),
            await client.ready(),
        )

    assert run(service_url, use) == (expected, document, listed, similar, True)
    assert len(expected) == 2


def test_async_client_pages_go_on(service_url: str) -> None:
    async def use(client: AsyncClient) -> Any:
        first = await client.search("water", k=2)
        return first, await client.search("water", k=2, cursor=first.next)

    first, second = run(service_url, use)
    assert [hit.rank for hit in (*first, *second)] == [1, 2, 3, 4]


def test_async_client_asks_all_at_once(service_url: str) -> None:
    async def use(client: AsyncClient) -> list[str]:
        found: list[str] = []

        async def ask(query: str) -> None:
            found.append((await client.search(query, k=1))[0].title)

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(ask, "why does dough get bigger?")
        return found

    assert run(service_url, use) == ["Bread"] * 4


def test_async_client_raises_the_error_of_the_service(service_url: str) -> None:
    with pytest.raises(errors.NotFoundError, match="'nope'"):
        run(service_url, lambda client: client.search("x", collection="nope"))
    with pytest.raises(errors.SemsearchError, match="semsearch serve"):
        run("http://127.0.0.1:9", lambda client: client.search("x"))
