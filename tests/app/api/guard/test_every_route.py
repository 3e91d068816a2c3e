"""Every route, with every way of not being allowed in. A new route needs a row here."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from httpx import Response
from starlette.routing import Route

import app.api
from app.api.guard.headers import PAGE_POLICY
from app.api.guard.routes import OPEN, ROUTES, Routes
from app.keys.key import Scope
from guarded_service import Guarded

LEXICAL = {"query": "yeast", "mode": "lexical"}
UPLOAD = {"documents": [{"id": "a", "text": "Written by somebody else."}]}
JUDGED = {"query": "yeast", "document": 1}

# A request that each route answers, and one that asks the collection `default` of it.
REQUESTS: dict[tuple[str, str], dict[str, Any]] = {
    ("GET", "/health"): {},
    ("GET", "/"): {},
    ("GET", "/web/{name}"): {},
    ("GET", "/ready"): {},
    ("GET", "/openapi.json"): {},
    ("GET", "/metrics"): {},
    ("GET", "/search"): {"params": LEXICAL},
    ("POST", "/search"): {"json": LEXICAL},
    ("GET", "/status"): {},
    ("GET", "/judgements"): {"params": JUDGED},
    ("POST", "/judgements"): {"json": {**JUDGED, "document": 999, "grade": None}},
    ("GET", "/collections"): {},
    ("GET", "/documents"): {},
    ("POST", "/documents"): {"json": {"documents": []}},  # nothing is written to what tests share
    ("DELETE", "/documents"): {},
    ("GET", "/documents/{document_id}"): {},
    ("DELETE", "/documents/{document_id}"): {},
    ("GET", "/documents/{document_id}/chunks/{chunk_id}"): {},
    ("GET", "/documents/{document_id}/similar"): {},
    ("POST", "/rerank"): {"json": {"query": "yeast", "texts": ["bread"]}},
    ("GET", "/mcp"): {},
    ("POST", "/mcp"): {"json": {"jsonrpc": "2.0", "id": 1, "method": "ping"}},
    ("DELETE", "/mcp"): {},
    ("GET", "/v1/models"): {},
    ("POST", "/v1/embeddings"): {"json": {"input": "x", "model": "unknown"}},
    ("POST", "/embed"): {"json": {"inputs": "x"}},
    ("GET", "/info"): {},
    ("GET", "/health_generate"): {},
}
# Every way in which a request can name a collection that the key was not made for.
OTHERS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/search", {"json": LEXICAL}),  # by default
    ("POST", "/search", {"json": {**LEXICAL, "collection": "default"}}),
    ("POST", "/search", {"json": {**LEXICAL, "collection": ["notes", "default"]}}),
    ("POST", "/search", {"json": {"query": "yeast", "collection": ["notes", "default"]}}),
    ("POST", "/search", {"json": {**LEXICAL, "collection": "none-such"}}),
    ("GET", "/search", {"params": LEXICAL}),
    ("GET", "/search", {"params": {**LEXICAL, "collection": ["notes", "default"]}}),
    ("GET", "/judgements", {"params": JUDGED}),
    ("GET", "/judgements", {"params": {**JUDGED, "collection": "default"}}),
    ("POST", "/judgements", {"json": {**JUDGED, "grade": 1}}),
    ("POST", "/judgements", {"json": {**JUDGED, "grade": 1, "collection": "default"}}),
    ("GET", "/documents", {}),
    ("POST", "/documents", {"json": UPLOAD}),
    ("POST", "/documents", {"json": {**UPLOAD, "collection": "default"}}),
    ("POST", "/documents", {"json": {**UPLOAD, "collection": "new", "create": True}}),
    ("DELETE", "/documents", {"params": {"external_id": "a"}}),
    ("DELETE", "/documents/1", {}),
    ("GET", "/documents/1/chunks/1", {}),
    ("GET", "/documents/1/similar", {}),
    ("GET", "/documents/1", {}),
    ("GET", "/documents/1?collection=default", {}),
]
GUARDED = [route for route in ROUTES if ROUTES[route] is not OPEN]


def path_of(template: str) -> str:
    return re.sub(r"\{\w+\}", "1", template)


def ask(service: Guarded, route: tuple[str, str], key: str | None = None, **more: Any) -> Response:
    method, template = route
    return service.ask(method, path_of(template), key, **REQUESTS[route], **more)


def assert_refused(answer: Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert sorted(answer.json()["error"]) == ["code", "message", "param", "type"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-request-id"]


def served_by(app: FastAPI) -> set[tuple[str, str]]:
    """Routes that the application would answer."""
    found = {("GET", "/openapi.json")}
    pending = list(app.routes)
    while pending:
        route = pending.pop()
        pending += getattr(getattr(route, "original_router", None), "routes", [])
        if isinstance(route, APIRoute | Route) and route.path != "/openapi.json":
            methods = (route.methods or set()) - {"HEAD"}  # Starlette adds it to its own GET
            found |= {(method, route.path) for method in methods}
    return found


def test_table_lists_exactly_the_routes_there_are(guarded: Guarded) -> None:
    assert served_by(guarded.app) == set(ROUTES)
    assert set(REQUESTS) == set(ROUTES)


def test_paths_that_two_templates_match_need_the_same() -> None:
    """Otherwise the table could find one route, and the router the other."""
    for (method, template), need in ROUTES.items():
        for (other_method, other), other_need in ROUTES.items():
            found = Routes({(other_method, other): other_need}).find(path_of(template))
            if found is not None and method == other_method:
                assert other_need is need, f"{template} and {other}"


def test_route_without_an_entry_is_not_served(guarded: Guarded) -> None:
    def forgotten() -> str:
        return "secret"

    guarded.app.add_api_route("/forgotten", forgotten)
    assert guarded.ask("GET", "/forgotten").status_code == 401
    assert_refused(guarded.ask("GET", "/forgotten", "search"), 404)
    assert guarded.app.routes.pop().path == "/forgotten"  # type: ignore[attr-defined]


@pytest.mark.parametrize("route", GUARDED, ids=" ".join)
def test_without_a_known_key(guarded: Guarded, route: tuple[str, str]) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer sk-sem-" + "A" * 43},
        {"Authorization": "Bearer \xff\xfe"},
        {"Authorization": "Basic c2VhcmNoOng="},
        {"X-Api-Key": "sk-sem-wrong"},
    ):
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = ask(guarded, route, headers=encoded)
        assert_refused(answer, 401)
        assert answer.headers["www-authenticate"] == 'Bearer realm="semsearch"'


@pytest.mark.parametrize("route", GUARDED, ids=" ".join)
def test_key_of_each_scope(guarded: Guarded, route: tuple[str, str]) -> None:
    for scope in Scope:
        answer = ask(guarded, route, scope)
        if scope is ROUTES[route]:
            assert answer.status_code not in (401, 403, 405), answer.text
        else:
            assert_refused(answer, 403)
            assert f"scope {ROUTES[route]}" in answer.json()["error"]["message"]


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_wrong_host_or_origin_even_with_a_key(guarded: Guarded, route: tuple[str, str]) -> None:
    key = None if ROUTES[route] is OPEN else ROUTES[route]
    for headers in (
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    ):
        assert_refused(ask(guarded, route, key, headers=headers), 403)


@pytest.mark.parametrize(("method", "path", "more"), OTHERS)
def test_collection_that_the_key_was_not_made_for(
    guarded: Guarded, method: str, path: str, more: dict[str, Any]
) -> None:
    assert_refused(answer := guarded.ask(method, path, "notes", **more), 403)
    assert "may use: notes" in answer.json()["error"]["message"]


def test_collection_that_the_key_was_made_for(guarded: Guarded) -> None:
    found = guarded.ask("POST", "/search", "notes", json={**LEXICAL, "collection": "notes"})
    hits = found.json()["hits"]
    assert [(hit["collection"], hit["document"]["title"]) for hit in hits] == [("notes", "Bread")]
    path = f"/documents/{hits[0]['document']['id']}?collection=notes"
    assert guarded.ask("GET", path, "notes").json()["title"] == "Bread"


def test_listings_show_only_what_the_key_may_see(guarded: Guarded) -> None:
    def names(key: str) -> list[str]:
        return [found["name"] for found in guarded.ask("GET", "/collections", key).json()]

    def holds(key: str) -> list[str]:
        answer = guarded.ask("GET", "/status", key).json()
        return [found["name"] for found in answer["collections"]]

    assert names("notes") == holds("notes") == ["notes"]
    assert names("search") == holds("search") == ["default", "notes"]


def test_routes_reach_collections_only_through_what_they_are_handed() -> None:
    """By their folders, or by the whole state, they would reach those that a key may not see."""
    known = {"application.py", "server.py", "state.py", "visible.py"}
    for path in Path(app.api.__file__).parent.rglob("*.py"):
        if path.name not in known:
            text = path.read_text(encoding="utf-8")
            assert "collection_folder" not in text, path
            assert "collections_folder" not in text, path
            assert "state.semsearch" not in text, path


def test_without_keys_a_service_on_loopback_is_open(open_app: Guarded) -> None:
    for route in ROUTES:
        answer = ask(open_app, route, headers={"Authorization": "Bearer none"})
        assert answer.status_code not in (401, 403, 405), answer.text


def test_page_needs_no_key_but_holds_nothing(guarded: Guarded) -> None:
    for path in ("/", "/web/main.js"):
        assert guarded.ask("GET", path).status_code == 200
        assert guarded.ask("GET", path).headers["content-security-policy"] == PAGE_POLICY
    assert "yeast" not in guarded.ask("GET", "/?q=yeast").text
