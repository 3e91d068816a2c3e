"""Judgements over HTTP: kept where `semsearch judge` keeps its own."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.judging.store import query_id, read_judgements
from tests_support import Indexed

QUERY = "why does dough rise?"


@pytest.fixture
def folder(indexed: Indexed) -> Path:
    return indexed.home / "collections" / "default"


def found(client: TestClient) -> list[int]:
    hits = client.post("/search", json={"query": QUERY}).json()["hits"]
    return [hit["document"]["id"] for hit in hits]


def judged(client: TestClient, documents: list[int], query: str = QUERY) -> dict[int, int]:
    answer = client.get("/judgements", params={"query": query, "document": documents})
    assert answer.status_code == 200, answer.text
    return {one["document"]: one["grade"] for one in answer.json()["judgements"]}


def test_judgement_is_kept_shown_changed_and_taken_back(client: TestClient, folder: Path) -> None:
    documents = found(client)
    body: dict[str, Any] = {"query": f"  {QUERY} ", "document": documents[0]}
    assert client.post("/judgements", json={**body, "grade": 1}).json() == {
        "collection": "default",
        "query": QUERY,
        "judgements": [{"document": documents[0], "grade": 1}],
    }
    assert judged(client, documents) == {documents[0]: 1}
    assert judged(client, documents, "another query") == {}
    kept = read_judgements(folder)
    assert kept.queries == {query_id(QUERY): QUERY}
    ((name, grade),) = kept.qrels[query_id(QUERY)].items()
    assert (name.startswith("docs/"), grade) == (True, 1)
    client.post("/judgements", json={**body, "grade": 0})
    assert judged(client, documents) == {documents[0]: 0}
    client.post("/judgements", json={**body, "grade": None})
    assert judged(client, documents) == {}
    assert read_judgements(folder).count == 0


def test_judgements_at_once_are_all_kept(client: TestClient, folder: Path) -> None:
    documents = found(client)

    def say(document: int, grade: int | None) -> int:
        body = {"query": QUERY, "document": document, "grade": grade}
        return client.post("/judgements", json=body).status_code

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(say, documents, [1] * len(documents)))
    assert set(said) == {200}
    assert judged(client, documents) == dict.fromkeys(documents, 1)
    assert {say(document, None) for document in documents} == {200}
    assert read_judgements(folder).count == 0


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"document": 999_999}, 404, "999999"),
        ({"document": 0}, 422, "document"),
        ({"grade": 3}, 422, "grade"),
        ({"query": "   "}, 422, "empty"),
        ({"collection": "nope"}, 404, "'nope'"),
        ({"collection": "../x"}, 422, "collection"),
        ({"rank": 1}, 422, "rank"),
    ],
)
def test_judgement_that_cannot_be_kept_says_why(
    client: TestClient, change: dict[str, object], status: int, words: str
) -> None:
    body: dict[str, object] = {"query": QUERY, "document": 1, "grade": 1}
    answer = client.post("/judgements", json={**body, **change})
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
