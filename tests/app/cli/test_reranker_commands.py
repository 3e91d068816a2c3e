"""`semsearch model` with rerankers."""

import json
from pathlib import Path

import pytest

from fake_hub import FakeHub, serve
from tests_support import Cli

BERT = {
    "model_type": "bert",
    "architectures": ["BertForSequenceClassification"],
    "id2label": {"0": "LABEL_0"},
    "max_position_embeddings": 512,
}
FILES = {
    "config.json": json.dumps(BERT).encode(),
    "tokenizer.json": b"{}",
    "model.safetensors": b"weights",
}


def test_pull_fetches_a_reranker_and_list_shows_it(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMSEARCH_MODELS_FOLDER", str(tmp_path / "models"))
    with serve(FakeHub(dict(FILES))) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        ran = cli("model", "pull", "ms-marco-minilm-l6", "--json")
        assert ran.code == 0, ran.err
        shown = cli("model", "pull", "ms-marco-minilm-l6").out
    values = json.loads(ran.out)
    assert values["model"] == "cross-encoder/ms-marco-MiniLM-L6-v2"
    assert (values["recipe"], values["max_tokens"]) == ("cross-encoder", 512)
    assert set(values["files"]) == set(FILES)
    assert f"sha256 model.safetensors  {values['files']['model.safetensors']}" in shown
    rows = {row["name"]: row for row in json.loads(cli("model", "list", "--json").out)}
    assert rows["ms-marco-minilm-l6"]["local"]
    assert [name for name, row in rows.items() if row["reranks"]] == [
        "qwen3-reranker-0.6b",
        "ms-marco-minilm-l6",
        "bge-reranker-v2-m3",
    ]


def test_collection_with_a_reranker_as_model_is_refused(cli: Cli) -> None:
    ran = cli("index", ".", "--model", "qwen3-reranker-0.6b")
    assert ran.code == 69
    assert "qwen3-reranker-0.6b is a reranker" in ran.err
