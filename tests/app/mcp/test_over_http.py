"""The tools at /mcp of the service: the official client, keys, and pages of other sites."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
import uvicorn
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from app.api.application import create_app
from app.keys.key import Scope
from app.keys.store import KeyStore
from app.settings import Settings
from tests_support import Indexed, clean_environment


@pytest.fixture(scope="module")
def settings(indexed: Indexed) -> Settings:
    with clean_environment(indexed.home):
        return Settings.load()


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    (listener,) = server.servers[0].sockets
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    server.should_exit = True
    thread.join()


def ask(address: str, name: str, arguments: dict[str, Any], key: str | None = None) -> Any:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    async def call() -> Any:
        async with httpx2.AsyncClient(headers=headers) as http:
            transport = streamable_http_client(address, http_client=http)
            async with Client(transport) as client:
                return await client.call_tool(name, arguments)

    return anyio.run(call)


def test_official_client_finds_the_planted_document(address: str) -> None:
    result = ask(address, "query", {"query": "酵母", "mode": "lexical"})
    found = result.structured_content["results"]
    assert [Path(one["file"]).name for one in found] == ["zh.md"]


def test_page_of_another_site_is_refused(address: str) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for wrong in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        assert httpx.post(address, json=body, headers=wrong).status_code == 403


def test_key_opens_its_collections_and_no_others(
    address: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = KeyStore(settings.home)
    made, text = keys.create("agent", {Scope.SEARCH}, {"other"})
    try:
        refused = httpx.post(address, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert refused.status_code == 401
        result = ask(address, "query", {"query": "yeast", "mode": "lexical"}, text)
        assert result.is_error
        assert "may not use collection 'default'" in result.content[0].text
    finally:
        keys.revoke(made.id)
