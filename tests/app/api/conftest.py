"""The service over the shared collection, with its model warmed up."""

import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from app.api.application import create_app
from app.settings import Settings
from tests_support import Indexed, clean_environment


@pytest.fixture(scope="session")
def client(indexed: Indexed) -> Iterator[TestClient]:
    with clean_environment(indexed.home):
        settings = Settings.load()
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8765") as service:
        until = time.monotonic() + 60
        while service.get("/ready").status_code != 200:
            assert time.monotonic() < until, service.get("/ready").json()
            time.sleep(0.1)
        yield service
