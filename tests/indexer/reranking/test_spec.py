"""Folders that are rerankers, and folders that are not."""

import json
from pathlib import Path
from typing import Any

import pytest

from fake_hub import FakeHub, serve
from indexer.embedding.hub import fetch
from indexer.embedding.models import RERANKERS, ModelRef, resolve
from indexer.errors import ModelError
from indexer.reranking.spec import Recipe, load_reranker_spec, reranker_layout

QWEN3 = {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}
BERT = {
    "model_type": "bert",
    "architectures": ["BertForSequenceClassification"],
    "id2label": {"0": "LABEL_0"},
}


def folder_with(tmp_path: Path, config: dict[str, Any]) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def test_qwen3_reranker_reads_8192_tokens_at_most(tmp_path: Path) -> None:
    spec = load_reranker_spec(folder_with(tmp_path, {**QWEN3, "max_position_embeddings": 40960}))
    assert (spec.recipe, spec.max_tokens, spec.weights_bytes) == (Recipe.QWEN3, 8192, 7)
    spec = load_reranker_spec(folder_with(tmp_path, {**QWEN3, "max_position_embeddings": 4096}))
    assert spec.max_tokens == 4096


def test_cross_encoder_takes_its_smallest_limit(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {**BERT, "max_position_embeddings": 512})
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 1e30}')
    spec = load_reranker_spec(folder, ModelRef("x", "org/x", "abc"))
    assert (spec.recipe, spec.max_tokens) == (Recipe.CROSS_ENCODER, 512)
    assert (spec.model, spec.revision) == ("org/x", "abc")
    # As sentence-transformers 6 saves it.
    settings = {"transformer_task": "sequence-classification", "max_seq_length": 256}
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    assert load_reranker_spec(folder).max_tokens == 256


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "bert", "architectures": ["BertModel"]}, "BertModel of type bert is no"),
        ({"model_type": "bert"}, "a model of type bert is no reranker"),
        (
            {**QWEN3, "architectures": ["Qwen3ForSequenceClassification"]},
            "Qwen3ForSequenceClassification of type qwen3 is no reranker",
        ),
        ({**BERT, "id2label": {"0": "a", "1": "b", "2": "c"}}, "into 3 classes"),
        ({"model_type": "bert", "architectures": BERT["architectures"]}, "into 2 classes"),
        ({**BERT, "auto_map": {"AutoModel": "own.Model"}}, "code of its own"),
        ({}, "names no model_type"),
    ],
)
def test_other_folders_are_refused(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    folder = folder_with(tmp_path, config)
    with pytest.raises(ModelError, match=words):
        reranker_layout(folder)
    with pytest.raises(ModelError, match=words):
        load_reranker_spec(folder)


def test_short_names_are_known_as_rerankers() -> None:
    found = {name: resolve(name) for name in RERANKERS}
    assert all(ref.reranks for ref in found.values())
    assert found["qwen3-reranker-0.6b"].model == "Qwen/Qwen3-Reranker-0.6B"
    assert resolve("BAAI/bge-reranker-v2-m3").reranks
    assert not resolve("qwen3-0.6b").reranks
    with pytest.raises(ModelError, match="Did you mean qwen3-reranker-0.6b"):
        resolve("qwen3-reranker-06b")


FILES = {
    "config.json": json.dumps({**QWEN3, "max_position_embeddings": 40960}).encode(),
    "tokenizer.json": b"{}",
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"a pickle",
}


def test_reranker_is_fetched_from_a_hub_and_verified_ever_after(tmp_path: Path) -> None:
    ref = resolve("qwen3-reranker-0.6b")
    with serve(FakeHub(dict(FILES))) as hub:
        folder = fetch(ref, tmp_path, endpoint=hub.url, layout=reranker_layout)
        assert folder.name == "Qwen--Qwen3-Reranker-0.6B"
    assert not (folder / "pytorch_model.bin").exists()
    spec = load_reranker_spec(folder, ref)
    assert (spec.model, spec.revision) == (ref.model, FakeHub({}).revision)
    fetch(ref, tmp_path, offline=True, layout=reranker_layout)
    (folder / "model.safetensors").write_bytes(b"other..")
    with pytest.raises(ModelError, match="The file is damaged or was replaced"):
        fetch(ref, tmp_path, offline=True, layout=reranker_layout)


def test_embedding_model_is_refused_before_its_weights_are_fetched(tmp_path: Path) -> None:
    files = {**FILES, "config.json": b'{"model_type": "bert", "architectures": ["BertModel"]}'}
    with serve(FakeHub(files)) as hub, pytest.raises(ModelError, match="is no reranker"):
        fetch(ModelRef("o/m", "o/m"), tmp_path, endpoint=hub.url, layout=reranker_layout)
    assert not hub.weight_requests()
