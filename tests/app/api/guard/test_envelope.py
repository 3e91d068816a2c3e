"""What every answer has: an id, safe headers, times; and faults that stay inside."""

import logging
import re

import pytest
from starlette.responses import Response

from app.api.guard.headers import PAGE_POLICY
from app.api.guard.request_id import RequestIdFilter, current
from guarded_service import Guarded

SEARCH = {"query": "yeast", "mode": "lexical"}
ANSWERS = [
    ("GET", "/health", 200),
    ("POST", "/search", 422),
    ("GET", "/nope", 404),
    ("PUT", "/search", 405),
    ("GET", "/openapi.json", 200),
    ("GET", "/metrics", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_every_answer_has_an_id_its_time_and_safe_headers(
    open_app: Guarded, method: str, path: str, status: int
) -> None:
    answer = open_app.ask(method, path)
    assert answer.status_code == status
    headers = answer.headers
    assert re.fullmatch("[0-9a-f]{16}", headers["x-request-id"])
    assert re.fullmatch(r"total;dur=[0-9.]+", headers["server-timing"])
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_ids_differ_and_a_sane_one_is_kept(open_app: Guarded) -> None:
    ids = {open_app.ask("GET", "/health").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5
    for given in ("a", "4bf92f35-77b3.4da6_a3ce", "x" * 64):
        answer = open_app.ask("GET", "/health", headers={"X-Request-Id": given})
        assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a;b", "é", "../a", "a\tb", '"><script>'])
def test_id_that_is_not_sane_is_replaced(open_app: Guarded, given: str) -> None:
    headers = {"X-Request-Id": given.encode("latin-1")}
    answer = open_app.ask("GET", "/health", headers=headers)
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])


def test_route_that_brings_its_own_policy_keeps_it(
    open_app: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page needs scripts of its own, which no answer with data does."""
    answer = Response("<!doctype html>", headers={"content-security-policy": PAGE_POLICY})
    monkeypatch.setattr("app.api.health.Health", lambda **_: answer)
    shown = open_app.ask("GET", "/health")
    assert shown.headers.get_list("content-security-policy") == [PAGE_POLICY]
    for word in ("unsafe", "*", "http", "data:"):
        assert word not in PAGE_POLICY


def test_stages_are_in_server_timing(open_app: Guarded) -> None:
    answer = open_app.ask("POST", "/search", json=SEARCH)
    shown = dict(part.split(";dur=") for part in answer.headers["server-timing"].split(", "))
    assert list(shown) == [*answer.json()["timing"], "total"]
    assert {"lexical", "fetch"} <= set(shown)
    parts = [float(ms) for name, ms in shown.items() if name != "total"]
    assert 0 < sum(parts) <= float(shown["total"])


def test_fault_is_one_answer_and_one_log_entry_with_the_id(
    open_app: Guarded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("inner words")

    caplog.handler.addFilter(named := RequestIdFilter())
    monkeypatch.setattr(open_app.app.state.semsearch.service, "search", fail)
    headers = {"X-Request-Id": "my-id", "Origin": "http://127.0.0.1:8765"}
    try:
        answer = open_app.ask("POST", "/search", json=SEARCH, headers=headers)
    finally:
        caplog.handler.removeFilter(named)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (500, "fault", "server_error")
    assert "my-id" in error["message"]
    assert "inner words" not in answer.text
    assert answer.headers["x-request-id"] == "my-id"
    assert answer.headers["x-content-type-options"] == "nosniff"
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert record.request_id == "my-id"  # type: ignore[attr-defined]
    assert "inner words" in caplog.text


def test_path_cannot_forge_a_line_of_the_log(
    open_app: Guarded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("app.api.guard.entry.errors.answer", fail)
    monkeypatch.setattr("app.api.guard.envelope._fault", lambda _id: Response(status_code=500))
    open_app.ask("GET", "/x%0A2026-01-01 ERROR all is lost")
    assert "'/x\\n2026-01-01 ERROR all is lost'" in caplog.text


def test_id_outside_of_a_request_is_a_dash() -> None:
    assert current() == "-"
