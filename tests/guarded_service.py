"""A service with guards to try, asked without a server or a model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response

from tests_support import Indexed

ADDRESS = "http://127.0.0.1:8765"


@dataclass(frozen=True)
class Guarded:
    """An application and its keys: one for each scope, `notes` for one collection, `none`."""

    app: FastAPI
    home: Path
    secrets: dict[str, str]

    def ask(self, method: str, path: str, key: str | None = None, **more: Any) -> Response:
        headers = dict(more.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {self.secrets.get(key, key)}"
        client = TestClient(self.app, base_url=ADDRESS)  # not entered: no model is warmed up
        return client.request(method, path, headers=headers, **more)


def make_home(folder: Path, indexed: Indexed) -> Path:
    """A home whose collections `default` and `notes` are links to the shared one."""
    collections = folder / "collections"
    collections.mkdir(parents=True)
    for name in ("default", "notes"):
        (collections / name).symlink_to(indexed.home / "collections" / "default")
    return folder
