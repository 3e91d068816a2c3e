"""The registry of models: found by name, remembered by weights, checked against the contract."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.search.models import Models
from app.settings import Settings
from indexer.embedding.embedder import Embedder
from indexer.embedding.models import resolve
from indexer.embedding.opening import open_embedder
from indexer.embedding.shared.embedder import SharedEmbedder
from indexer.embedding.spec import ModelSpec
from indexer.errors import ContractError, ModelError, UsageError
from indexer.types import Contract, Kind
from make_tiny_qwen3 import make_tiny_qwen3


@pytest.fixture(scope="module")
def tiny_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_qwen3(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture
def tiny(tiny_source: Path, tmp_path: Path) -> Path:
    """A folder of one's own, that a test may move or change."""
    return Path(shutil.copytree(tiny_source, tmp_path / "mine"))


@pytest.fixture
def models(home: Path) -> Models:
    return Models(Settings.load())


def tiny_contract(models: Models, folder: Path) -> Contract:
    return models.named(str(folder)).contract("1/512")


def test_model_is_found_again_by_the_weights_of_its_folder(models: Models, tiny: Path) -> None:
    """A contract holds the folder's name, not where it lies."""
    spec = models.named(str(tiny))
    contract = spec.contract("1/512")
    assert contract.model == "mine"
    models.remember(spec.weights_sha256, str(tiny))
    assert Models(Settings.load()).of_contract(contract).folder == tiny


def test_model_folder_is_remembered_absolute(
    models: Models, tiny: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.parent)
    models.remember("ab" * 32, "mine")
    assert json.loads((home / "models.json").read_text()) == {"ab" * 32: str(tiny)}
    models.remember("cd" * 32, "org/name")
    models.remember("ab" * 32, "minilm")
    known = json.loads((home / "models.json").read_text())
    assert known == {"ab" * 32: "minilm", "cd" * 32: "org/name"}
    assert [path.name for path in home.iterdir() if path.suffix == ".tmp"] == []


def test_model_renamed_folder_is_the_same_model(models: Models, tiny: Path) -> None:
    contract = tiny_contract(models, tiny)
    moved = tiny.rename(tiny.with_name("renamed"))
    models.remember(contract.weights_sha256, str(moved))
    assert models.of_contract(contract).folder == moved


def test_model_folder_that_is_gone_is_named(models: Models, tiny: Path) -> None:
    contract = tiny_contract(models, tiny)
    models.remember(contract.weights_sha256, str(tiny))
    shutil.rmtree(tiny)
    with pytest.raises(ModelError, match="mine"):
        models.of_contract(contract)


def test_model_with_other_weights_is_refused_with_both_hashes(
    models: Models, tiny: Path, tmp_path: Path
) -> None:
    contract = tiny_contract(models, tiny)
    other = make_tiny_qwen3(tmp_path / "other", seed=8)
    models.remember(contract.weights_sha256, str(other))
    theirs = models.named(str(other)).weights_sha256
    with pytest.raises(ContractError) as refused:
        models.of_contract(contract)
    text = str(refused.value)
    assert contract.weights_sha256 in text
    assert theirs in text
    assert "semsearch index --reembed" in text


def test_model_with_another_prompt_is_refused_with_both_prompts(models: Models, tiny: Path) -> None:
    contract = replace(tiny_contract(models, tiny), query_prompt="query: ")
    models.remember(contract.weights_sha256, str(tiny))
    with pytest.raises(ContractError, match="query_prompt: collection 'query: ', model 'Instruct"):
        models.of_contract(contract)


@pytest.mark.parametrize("content", ["", "{", "[]", "\udcff", '{"ab": 3}'])
def test_model_registry_that_is_damaged_falls_back_to_the_contract(
    models: Models, home: Path, minilm_spec: ModelSpec, content: str
) -> None:
    home.mkdir(exist_ok=True)
    (home / "models.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    contract = replace(minilm_spec.contract("1/256"), model="minilm")
    assert models.of_contract(contract).weights_sha256 == minilm_spec.weights_sha256


def test_model_registry_that_cannot_be_written_is_named(models: Models, home: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file where the folder should be")
    with pytest.raises(ModelError, match=r"models\.json: cannot be written"):
        models.remember("ab" * 32, "minilm")


def test_minilm_collection_finds_the_bundled_model_by_its_id(
    models: Models, minilm_spec: ModelSpec
) -> None:
    models.remember(minilm_spec.weights_sha256, "minilm")
    bundled = resolve("minilm").folder
    assert models.of_contract(minilm_spec.contract("1/256")).folder == bundled


def test_embedder_is_loaded_once_per_weights_and_dimension(models: Models, tiny: Path) -> None:
    spec = models.named(str(tiny))
    models.remember(spec.weights_sha256, str(tiny))
    seen: list[Embedder] = []
    threads = [
        threading.Thread(target=lambda: seen.append(models.embedder(spec))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(embedder) for embedder in seen}) == 1
    shorter = models.embedder(spec, 32)
    assert shorter is not seen[0]
    assert (seen[0].dimension, shorter.dimension) == (64, 32)
    assert models.embedder_of(spec.contract("1/512", 32)) is shorter
    with pytest.raises(UsageError, match="Dimension 65"):
        models.embedder(spec, 65)


def test_shared_model_is_loaded_once_whatever_the_dimension(
    home: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two copies of a model in memory, for a collection and for /v1/embeddings, help nobody."""
    shared: list[SharedEmbedder] = []

    def share(embedder: Embedder) -> SharedEmbedder:
        shared.append(SharedEmbedder(embedder))
        return shared[-1]

    models = Models(Settings.load(), share=share)
    spec = models.named(str(tiny))
    shorter = models.embedder(spec, 32)
    whole = models.embedder(spec)
    assert [whole] == shared
    assert models.embedder(spec, 32) is shorter
    vectors = whole.embed(["tea"], Kind.QUERY)
    with open_embedder(spec, models.wishes, 32) as alone:
        assert (
            np.abs(shorter.embed(["tea"], Kind.QUERY) - alone.embed(["tea"], Kind.QUERY)).max()
            <= 1e-6
        )
    assert vectors.shape == (1, 64)
    # Whole it is good enough, cut it is not: then its own is loaded, as without a queue.
    monkeypatch.setattr(
        "app.search.models.is_good_enough",
        lambda embedder, *_: embedder.dimension != 48 or not isinstance(embedder, SharedEmbedder),
    )
    assert models.embedder(spec, 48) is shared[1]
    for embedder in shared:
        embedder.close()


def test_listing_tells_what_is_here(models: Models) -> None:
    rows = {row["name"]: row for row in models.listing()}
    bundled = resolve("minilm").folder
    assert bundled is not None
    weights = (bundled / "model.safetensors").stat().st_size
    assert rows["minilm"]["folder"] == str(bundled)
    assert rows["minilm"]["size_bytes"] >= weights
    assert [name for name, row in rows.items() if row["default"]] == ["qwen3-0.6b"]
    assert rows["qwen3-0.6b"]["id"] == "Qwen/Qwen3-Embedding-0.6B"
    assert (rows["qwen3-0.6b"]["local"], rows["qwen3-0.6b"]["size_bytes"]) == (False, 0)
