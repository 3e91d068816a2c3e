"""What a folder says, and every way it can fail to say it."""

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indexer.embedding.models import resolve
from indexer.embedding.spec import load_spec
from indexer.errors import ModelError, UsageError
from indexer.types import Pooling

Changed = Callable[[dict[str, Any]], Path]
QUERY = (
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
)


def module(name: str, path: str) -> dict[str, str]:
    return {"path": path, "type": f"sentence_transformers.models.{name}"}


def test_qwen3_folder_is_read_by_its_own_rules(tiny_folder: Path) -> None:
    spec = load_spec(tiny_folder)
    assert spec.model == "tiny-qwen3"
    assert spec.pooling is Pooling.LAST_TOKEN
    assert (spec.hidden_size, spec.max_tokens, spec.eos_token_id) == (64, 32768, 151643)
    assert (spec.query_prompt, spec.document_prompt) == (QUERY, "")


def test_minilm_folder_is_read_by_its_own_rules(minilm_folder: Path) -> None:
    spec = load_spec(minilm_folder, resolve("minilm"))
    assert spec.model == "sentence-transformers/all-MiniLM-L6-v2"
    assert (spec.pooling, spec.hidden_size, spec.max_tokens) == (Pooling.MEAN, 384, 256)
    assert (spec.query_prompt, spec.document_prompt, spec.eos_token_id) == ("", "", None)


def test_contract_holds_everything_that_fixes_a_vector(tiny_folder: Path) -> None:
    contract = load_spec(tiny_folder).contract("1/512", 32)
    file_hash = hashlib.sha256((tiny_folder / "model.safetensors").read_bytes()).hexdigest()
    assert contract.to_dict() == {
        "model": "tiny-qwen3",
        "revision": None,
        "weights_sha256": hashlib.sha256(file_hash.encode()).hexdigest(),
        "pooling": "lasttoken",
        "query_prompt": QUERY,
        "document_prompt": "",
        "eos_token_id": 151643,
        "dimension": 32,
        "normalised": True,
        "max_tokens": 32768,
        "chunker": "1/512",
    }


@pytest.mark.parametrize("dimension", [0, -1, 31, 65])
def test_dimension_out_of_range_names_the_range(tiny_folder: Path, dimension: int) -> None:
    with pytest.raises(UsageError, match=f"Dimension {dimension}: tiny-qwen3 gives 32 to 64"):
        load_spec(tiny_folder).contract("1/512", dimension)


def test_weights_hash_is_remembered_and_noticed_when_stale(
    changed: Changed, tmp_path: Path
) -> None:
    folder = changed({})
    first = load_spec(folder, cache_folder=tmp_path / "cache").weights_sha256
    assert load_spec(folder, cache_folder=tmp_path / "cache").weights_sha256 == first
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    assert load_spec(folder, cache_folder=tmp_path / "cache").weights_sha256 != first


def test_weights_hash_of_shards_ignores_their_order(changed: Changed) -> None:
    folder = changed({})
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    names = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    index = {"weight_map": {"b": names[1], "a": names[0], "c": names[0]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / names[0]).write_bytes(weights[:1000])
    (folder / names[1]).write_bytes(weights[1000:])
    parts = sorted(hashlib.sha256(part).hexdigest() for part in (weights[:1000], weights[1000:]))
    spec = load_spec(folder)
    assert spec.weights_sha256 == hashlib.sha256("\n".join(parts).encode()).hexdigest()
    assert spec.weights_bytes == len(weights)
    (folder / names[1]).unlink()
    with pytest.raises(ModelError, match=f"{names[1]}: missing, but listed"):
        load_spec(folder)


def test_spec_travels_to_a_worker_process(tiny_folder: Path) -> None:
    spec = load_spec(tiny_folder)
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"pooling_mode_cls_token": True}, Pooling.CLS),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, Pooling.MEAN),
        ({"pooling_mode": "lasttoken"}, Pooling.LAST_TOKEN),
        ({"pooling_mode": ["mean"]}, Pooling.MEAN),
    ],
)
def test_pooling_old_and_new_keys(changed: Changed, config: Any, expected: Pooling) -> None:
    folder = changed({"1_Pooling/config.json": {"word_embedding_dimension": 64, **config}})
    assert load_spec(folder).pooling is expected


def test_pooling_new_dimension_key(changed: Changed) -> None:
    pooling = {"embedding_dimension": 64, "pooling_mode": "mean", "include_prompt": True}
    assert load_spec(changed({"1_Pooling/config.json": pooling})).hidden_size == 64


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"modules.json": None}, "nothing says how this model pools"),
    ({"modules.json": {}}, "no list of modules"),
    ({"modules.json": [1]}, "no list of modules"),
    ({"modules.json": [module("Transformer", "")]}, "no Pooling module"),
    (
        {
            "modules.json": [
                module("Transformer", ""),
                module("Pooling", "1_Pooling"),
                module("Dense", "2_Dense"),
            ]
        },
        "module Dense is not supported",
    ),
    (
        {"modules.json": [module("Pooling", "1_Pooling"), module("Transformer", "")]},
        "Pooling, Transformer are in an order",
    ),
    (
        {"modules.json": [module("Transformer", ""), module("Pooling", "../1_Pooling")]},
        "'../1_Pooling' leads out of the model folder",
    ),
    (
        {"modules.json": [module("Transformer", "/etc"), module("Pooling", "1_Pooling")]},
        "'/etc' leads out of the model folder",
    ),
    ({"1_Pooling/config.json": None}, "never guessed"),
    ({"1_Pooling/config.json": {"word_embedding_dimension": 64}}, "pooling none is not supported"),
    (
        {"1_Pooling/config.json": {"word_embedding_dimension": 64, "pooling_mode": "max"}},
        "pooling max is not supported",
    ),
    (
        {"1_Pooling/config.json": {"pooling_mode": ["mean", "cls"]}},
        "pooling mean \\+ cls is not supported",
    ),
    ({"1_Pooling/config.json": {"pooling_mode": "mean"}}, "word_embedding_dimension is None"),
    (
        {"1_Pooling/config.json": {"pooling_mode": "mean", "include_prompt": False}},
        "include_prompt false",
    ),
    ({"config.json": None}, "config.json: missing"),
    ({"config.json": {}}, "names no model_type"),
    (
        {"config.json": {"model_type": "new", "auto_map": {"AutoModel": "x--modeling.NewModel"}}},
        "runs code of its own \\(x--modeling.NewModel\\)",
    ),
    ({"adapter_config.json": {}}, "an adapter"),
    ({"model.safetensors": None}, "safetensors: missing"),
    ({"sentence_bert_config.json": {"query_expansion": {"length": 32}}}, "query_expansion"),
    ({"sentence_bert_config.json": {"transformer_task": "any-to-any"}}, "any-to-any"),
    ({"sentence_bert_config.json": {"modality_config": {"text": {}, "message": {}}}}, "message"),
    ({"config_sentence_transformers.json": {"prompts": {"query": 3}}}, "prompts are not texts"),
    ({"config_sentence_transformers.json": []}, "holds no JSON object"),
]


@pytest.mark.parametrize(("files", "text"), REFUSED)
def test_folder_that_cannot_be_honoured_is_refused(
    changed: Changed, files: dict[str, Any], text: str
) -> None:
    folder = changed(files)
    with pytest.raises(ModelError, match=text) as caught:
        load_spec(folder)
    assert str(folder) in str(caught.value)


def test_pickle_weights_are_named_and_never_loaded(changed: Changed) -> None:
    folder = changed({"model.safetensors": None})
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin are pickles, which are never loaded"):
        load_spec(folder)


def test_broken_json_is_named(changed: Changed) -> None:
    folder = changed({})
    (folder / "config.json").write_bytes(b"\xff{")
    with pytest.raises(ModelError, match=r"config\.json: not valid JSON"):
        load_spec(folder)


def test_dot_product_model_without_normalisation_is_refused(changed: Changed) -> None:
    modules = [module("Transformer", ""), module("Pooling", "1_Pooling")]
    dot = {"similarity_fn_name": "dot"}
    with pytest.raises(ModelError, match="'dot' on unnormalised vectors"):
        load_spec(changed({"modules.json": modules, "config_sentence_transformers.json": dot}))


@pytest.mark.parametrize("name", ["document", "passage", "corpus"])
def test_document_prompt_under_each_of_its_names(changed: Changed, name: str) -> None:
    prompts = {"prompts": {"query": "query: ", name: "passage: "}}
    spec = load_spec(changed({"config_sentence_transformers.json": prompts}))
    assert (spec.query_prompt, spec.document_prompt) == ("query: ", "passage: ")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"sentence_bert_config.json": {"max_seq_length": 100}}, 100),
        ({"sentence_roberta_config.json": {"max_seq_length": 99}}, 99),
        ({"tokenizer_config.json": {"model_max_length": 77}}, 77),
        ({"tokenizer_config.json": {"model_max_length": 1e30}}, 32768),
        ({"config.json": {"model_type": "xlm-roberta", "max_position_embeddings": 514}}, 512),
    ],
)
def test_longest_text_comes_from_the_right_file(
    changed: Changed, files: dict[str, Any], expected: int
) -> None:
    assert load_spec(changed(files)).max_tokens == expected


def test_older_layout_with_a_transformer_folder_is_read(changed: Changed) -> None:
    folder = changed(
        {"modules.json": [module("Transformer", "0_T"), module("Pooling", "1_Pooling")]}
    )
    (folder / "0_T").mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).rename(folder / "0_T" / name)
    assert load_spec(folder).transformer_folder == folder / "0_T"
