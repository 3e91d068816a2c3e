"""Models that lie on this machine: found and verified without a hub."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from indexer.embedding.hub import fetch, local_folder
from indexer.embedding.models import ModelRef, resolve
from indexer.embedding.record import RECORD_NAME, read_record
from indexer.embedding.spec import load_spec
from indexer.errors import ModelError


def test_fetch_bundled_minilm_checks_its_hash(tmp_path: Path) -> None:
    ref = resolve("minilm")
    assert fetch(ref, tmp_path, offline=True) == ref.folder
    damaged = tmp_path / "copy"
    assert ref.folder is not None
    shutil.copytree(ref.folder, damaged)
    with (damaged / "model.safetensors").open("r+b") as file:
        file.seek(1000)
        file.write(b"\xff\xff")
    broken = ModelRef(ref.name, ref.model, ref.revision, ref.sha256, damaged)
    with pytest.raises(
        ModelError, match="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    ):
        fetch(broken, tmp_path, offline=True)


def test_local_folder_of_pinned_model_names_its_revision(tmp_path: Path) -> None:
    expected = tmp_path / "Qwen--Qwen3-Embedding-0.6B@97b0c614be4d"
    assert local_folder(resolve("qwen3-0.6b"), tmp_path) == expected


def test_local_folder_of_unpinned_model_is_its_id(tmp_path: Path) -> None:
    assert local_folder(resolve("gte-tiny"), tmp_path) == tmp_path / "TaylorAI--gte-tiny"


def test_fetch_of_a_users_folder_leaves_it_as_it_is(tmp_path: Path, tiny_folder: Path) -> None:
    before = sorted(path.name for path in tiny_folder.rglob("*"))
    assert fetch(resolve(tiny_folder), tmp_path, offline=True) == tiny_folder
    assert sorted(path.name for path in tiny_folder.rglob("*")) == before


def test_record_gives_the_contract_its_model_and_revision(
    tmp_path: Path, tiny_folder: Path
) -> None:
    shutil.copytree(tiny_folder, tmp_path / "copy")
    record = {"model": "org/name", "revision": "ab12", "sha256": {}}
    (tmp_path / "copy" / RECORD_NAME).write_text(json.dumps(record))
    contract = load_spec(tmp_path / "copy").contract("1/512")
    assert (contract.model, contract.revision) == ("org/name", "ab12")


@pytest.mark.parametrize(
    "record",
    [
        {"model": 3, "revision": None, "sha256": {}},
        {"model": "a/b", "revision": 1, "sha256": {}},
        {"model": "a/b", "revision": None, "sha256": []},
        {"model": "a/b", "revision": None, "sha256": {"x": 1}},
        {"model": "a/b", "revision": None, "sha256": {"../../etc/passwd": "00"}},
        {"model": "a/b", "revision": None, "sha256": {"/etc/passwd": "00"}},
    ],
)
def test_damaged_record_is_named(tmp_path: Path, record: dict[str, Any]) -> None:
    (tmp_path / RECORD_NAME).write_text(json.dumps(record))
    with pytest.raises(ModelError, match=r"semsearch-model\.json: damaged"):
        read_record(tmp_path)
