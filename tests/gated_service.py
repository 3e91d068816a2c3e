"""A real server on a real port in this process, over an embedder that the test holds."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn

from app.api.application import create_app
from app.api.state import State
from app.settings import Settings
from gated_embedder import GatedEmbedder
from indexer.embedding.embedder import Embedder
from indexer.embedding.spec import ModelSpec
from tests_support import Indexed, clean_environment


@dataclass(frozen=True)
class Serving:
    """A service that is ready."""

    client: httpx.Client  # with its address
    port: int
    state: State
    inner: GatedEmbedder

    def search(self, query: str, mode: str = "hybrid", **options: Any) -> httpx.Response:
        return self.client.post("/search", json={"query": query, "mode": mode, **options})


@contextmanager
def serving(indexed: Indexed, *, batch_tokens: int = 256, **flags: Any) -> Iterator[Serving]:
    """The service over the shared collection; its embedder waits wherever its gate is closed."""
    opened: list[GatedEmbedder] = []

    def open_gated(spec: ModelSpec, *_rest: Any) -> Embedder:
        opened.append(GatedEmbedder(spec, batch_tokens))
        return opened[-1]

    with clean_environment(indexed.home), pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.search.models.open_embedder", open_gated)
        patch.setattr("app.search.models.prove", lambda *_: None)
        patch.setattr("app.search.models.is_good_enough", lambda *_: True)
        app = create_app(Settings.load(flags=flags))
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            wait_for(lambda: server.started)
            port = server.servers[0].sockets[0].getsockname()[1]
            limits = httpx.Limits(max_connections=None)
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", timeout=60, limits=limits
            ) as client:
                wait_for(lambda: client.get("/ready").status_code == 200)
                [inner] = opened
                inner.calls.clear()
                while inner.entered.acquire(blocking=False):
                    pass
                yield Serving(client, port, app.state.semsearch, inner)
        finally:
            for inner in opened:
                inner.gate.set()
            server.should_exit = True
            thread.join()


def wait_for(condition: Any) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)
