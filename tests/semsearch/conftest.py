"""The shared indexed folder, and a real service over it on a free port."""

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from app.api.application import create_app
from app.settings import Settings
from tests_support import Indexed, clean_environment, indexed

__all__ = ["indexed"]


@pytest.fixture(scope="session")
def service_url(indexed: Indexed) -> Iterator[str]:
    with clean_environment(indexed.home):
        app = create_app(Settings.load(flags={"model": "minilm"}))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
