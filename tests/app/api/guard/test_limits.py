"""What is too much is refused before any model is loaded or asked for it."""

from typing import Any

import pytest

from guarded_service import Guarded

TOO_MUCH: list[tuple[str, dict[str, Any], int]] = [
    ("/search", {"query": "x" * 32_769}, 422),
    ("/search", {"query": ""}, 422),
    ("/search", {"query": "x", "k": 1001}, 422),
    ("/search", {"query": "x", "k": 0}, 422),
    ("/search", {"query": "x", "instruction": "x" * 2001}, 422),
    ("/search", {"query": "x", "collection": ["default"] * 65}, 422),
    ("/search", {"query": "x", "unknown": 1}, 422),
    ("/search", {"query": "x", "where": [[[[[[]]]]]] * 10_000}, 413),
    ("/v1/embeddings", {"input": [], "model": "minilm"}, 400),
    ("/v1/embeddings", {"input": ["x"] * 2049, "model": "minilm"}, 400),
    ("/v1/embeddings", {"input": [1.5], "model": "minilm"}, 422),
    ("/v1/embeddings", {"input": "x" * 70_000, "model": "minilm"}, 413),  # `open_app` takes 64 KiB
]


@pytest.mark.parametrize(("path", "body", "status"), TOO_MUCH)
def test_too_much_is_refused_before_any_model_work(
    open_app: Guarded, monkeypatch: pytest.MonkeyPatch, path: str, body: dict[str, Any], status: int
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a model was asked for")

    monkeypatch.setattr("app.search.models.Models.embedder", never)
    monkeypatch.setattr("app.search.models.Models.embedder_of", never)
    answer = open_app.ask("POST", path, json=body)
    assert answer.status_code == status, answer.text
    assert sorted(answer.json()["error"]) == ["code", "message", "param", "type"]
