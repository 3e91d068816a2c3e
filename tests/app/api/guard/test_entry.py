"""When keys are asked for, and that they never show."""

import logging
from pathlib import Path

import pytest
from fastapi import WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from app.api.application import create_app
from app.keys.key import Scope
from app.keys.store import KeyStore
from app.settings import Settings
from guarded_service import Guarded
from indexer.errors import CorruptError, UsageError


@pytest.fixture
def service(home: Path) -> Guarded:
    return Guarded(create_app(Settings.load()), home, {})


def test_first_key_closes_a_running_service_and_revoking_it_does_not_open_it(
    service: Guarded, home: Path
) -> None:
    assert service.ask("GET", "/collections").status_code == 200
    _, secret = KeyStore(home).create("ci", {Scope.SEARCH}, None)
    assert service.ask("GET", "/collections").status_code == 401
    assert service.ask("GET", "/collections", secret).status_code == 200
    KeyStore(home).revoke("ci")
    assert service.ask("GET", "/collections", secret).status_code == 401
    assert service.ask("GET", "/collections").status_code == 401
    assert service.ask("GET", "/health").status_code == 200


def test_key_is_taken_from_either_header(service: Guarded, home: Path) -> None:
    _, secret = KeyStore(home).create("ci", {Scope.SEARCH}, None)
    for headers in (
        {"Authorization": f"bearer  {secret}"},
        {"X-Api-Key": secret},
        {"Authorization": "Basic eA==", "X-Api-Key": secret},
    ):
        assert service.ask("GET", "/collections", headers=headers).status_code == 200
    both = {"Authorization": "Bearer wrong", "X-Api-Key": secret}
    assert service.ask("GET", "/collections", headers=both).status_code == 401


def test_address_beyond_this_machine_needs_a_key_to_ask_for(home: Path) -> None:
    settings = Settings.load(flags={"host": "0.0.0.0"})
    with pytest.raises(UsageError, match="semsearch key create"):
        create_app(settings)
    _, secret = KeyStore(home).create("ci", {Scope.SEARCH}, None)
    beyond = Guarded(create_app(settings), home, {})
    (home / "keys.json").unlink()
    assert beyond.ask("GET", "/collections").status_code == 401
    assert beyond.ask("GET", "/collections", secret).status_code == 401
    assert beyond.ask("GET", "/health", headers={"Host": "search.lan"}).status_code == 200


def test_keys_that_cannot_be_read_let_nobody_in(
    service: Guarded, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, secret = KeyStore(home).create("ci", {Scope.SEARCH}, None)
    (home / "keys.json").write_text("{")
    for key in (None, secret):
        answer = service.ask("GET", "/collections", key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "keys")
        assert str(home) not in answer.text
    assert "nobody is let in" in caplog.text
    assert "keys.json" in caplog.text
    with pytest.raises(CorruptError):
        create_app(Settings.load(flags={"host": "0.0.0.0"}))


def test_unknown_paths_and_methods_tell_nothing_without_a_key(guarded: Guarded) -> None:
    assert guarded.ask("GET", "/nope").status_code == 401
    assert guarded.ask("DELETE", "/search").status_code == 401
    assert guarded.ask("GET", "/nope", "search").status_code == 404
    wrong = guarded.ask("DELETE", "/search", "search")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST")


def test_websocket_is_closed_before_any_route(open_app: Guarded) -> None:
    """Guards look at HTTP requests; a route that took something else would go unguarded."""

    @open_app.app.websocket("/search")
    async def unguarded(socket: WebSocket) -> None:
        await socket.accept()

    client = TestClient(open_app.app, base_url="http://127.0.0.1:8765")
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/search"):
        pass
    open_app.app.routes.pop()


def test_keys_show_nowhere(
    guarded: Guarded, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in answers, errors, metrics, logs with their traces, reprs."""
    caplog.set_level(logging.DEBUG)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    seen = []
    for key in guarded.secrets.values():
        for path in ("/collections", "/nope", "/metrics", "/documents/999", "/openapi.json"):
            seen.append(guarded.ask("GET", path, key))
            seen.append(guarded.ask("GET", path, key + "x"))
            seen.append(guarded.ask("GET", path, headers={"X-Api-Key": key}))
        with monkeypatch.context() as patch:
            patch.setattr(guarded.app.state.semsearch.service, "search", fail)
            body = {"query": "x", "mode": "lexical", "collection": "notes"}
            seen.append(guarded.ask("POST", "/search", key, json=body))
    assert {answer.status_code for answer in seen} >= {200, 401, 403, 404, 500}
    text = caplog.text + repr(guarded.app.user_middleware) + repr(KeyStore(guarded.home).all())
    text += "".join(answer.text + repr(answer.headers) for answer in seen)
    digests = [key.digest for key in KeyStore(guarded.home).all()]
    assert "a fault" in text
    assert [word for word in (*guarded.secrets.values(), *digests) if word in text] == []
