"""A model whose weights stay on the server: fetched without them, under the same contract."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_hub import FakeHub, serve
from indexer.embedding.hub import fetch
from indexer.embedding.models import ModelRef
from indexer.embedding.opening import open_embedder
from indexer.embedding.record import RECORD_NAME
from indexer.embedding.spec import load_spec, weights_hash
from indexer.embedding.wishes import Wishes
from indexer.errors import ModelError
from indexer.modes import Placement

REF = ModelRef("org/tiny", "org/tiny")


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def hub(tiny_folder: Path) -> Iterator[FakeHub]:
    with serve(FakeHub(files_of(tiny_folder))) as served:
        yield served


def pull(hub: FakeHub, folder: Path, ref: ModelRef = REF, **options: Any) -> Path:
    return fetch(ref, folder, endpoint=hub.url, retry_wait_s=0.0, **options)


def test_contract_is_that_of_the_whole_model(hub: FakeHub, tmp_path: Path) -> None:
    bare = pull(hub, tmp_path, weights=False)
    assert hub.weight_requests() == []
    assert not list(bare.rglob("*.safetensors"))
    whole = pull(hub, tmp_path)
    assert (bare.name, whole.name) == ("org--tiny.config", "org--tiny")
    spec = load_spec(bare)
    assert spec.contract("1/512") == load_spec(whole).contract("1/512")
    assert spec.weights_bytes == 0


def test_second_fetch_asks_nobody(hub: FakeHub, tmp_path: Path) -> None:
    first = pull(hub, tmp_path, weights=False)
    asked = len(hub.requests)
    assert pull(hub, tmp_path, weights=False, offline=True) == first
    assert len(hub.requests) == asked


def test_whole_model_that_is_here_is_taken(hub: FakeHub, tmp_path: Path) -> None:
    whole = pull(hub, tmp_path)
    assert pull(hub, tmp_path, weights=False, offline=True) == whole


def test_published_hash_beats_a_lying_listing(hub: FakeHub, tmp_path: Path) -> None:
    published = hashlib.sha256(hub.files["model.safetensors"]).hexdigest()
    hub.listed_sha256["model.safetensors"] = "ab" * 32
    ref = ModelRef("org/tiny", "org/tiny", None, {"model.safetensors": published})
    with pytest.raises(ModelError, match=f"lists sha256 {'ab' * 32} for model.safetensors"):
        pull(hub, tmp_path, ref, weights=False)
    assert not (tmp_path / "org--tiny.config").exists()


def test_changed_record_is_held_to_the_published_hash(hub: FakeHub, tmp_path: Path) -> None:
    published = hashlib.sha256(hub.files["model.safetensors"]).hexdigest()
    ref = ModelRef("org/tiny", "org/tiny", None, {"model.safetensors": published})
    folder = pull(hub, tmp_path, ref, weights=False)
    record = json.loads((folder / RECORD_NAME).read_text())
    record["absent"]["model.safetensors"] = "cd" * 32
    (folder / RECORD_NAME).write_text(json.dumps(record))
    with pytest.raises(ModelError, match=f"{'cd' * 32}.*published is {published}"):
        pull(hub, tmp_path, ref, weights=False)


def test_shards_are_combined_as_if_they_were_here(hub: FakeHub, tmp_path: Path) -> None:
    data = hub.files.pop("model.safetensors")
    names = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    parts = dict(zip(names, (data[:1000], data[1000:]), strict=True))
    index = {"weight_map": {"a": names[0], "b": names[1]}}
    hub.files |= {**parts, "model.safetensors.index.json": json.dumps(index).encode()}
    spec = load_spec(pull(hub, tmp_path, weights=False))
    for name, part in parts.items():
        (tmp_path / name).write_bytes(part)
    assert spec.weights_sha256 == weights_hash([tmp_path / name for name in names], None)


def test_folder_without_weights_runs_nowhere_but_remotely(hub: FakeHub, tmp_path: Path) -> None:
    spec = load_spec(pull(hub, tmp_path, weights=False))
    with pytest.raises(ModelError, match="holds no weights, only what a remote endpoint needs"):
        open_embedder(spec, Wishes(Placement.CPU))


def test_users_folder_names_the_hash_of_what_the_server_runs(
    tiny_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "mine"))
    whole = load_spec(folder)
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match='"absent": {"model.safetensors": SHA256 OF THAT FILE}'):
        load_spec(folder)
    record = {"model": "mine", "revision": None, "sha256": {}}
    absent = {"model.safetensors": digest}
    (folder / RECORD_NAME).write_text(json.dumps({**record, "absent": absent}))
    assert load_spec(folder).contract("1/512") == whole.contract("1/512")


@pytest.mark.parametrize(
    "absent", [{"model.safetensors": "ab"}, {"../x": "ab" * 32}, {"x": 3}, [], "ab"]
)
def test_damaged_record_of_absent_weights_is_named(
    tiny_folder: Path, tmp_path: Path, absent: Any
) -> None:
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "mine"))
    record = {"model": "mine", "revision": None, "sha256": {}, "absent": absent}
    (folder / RECORD_NAME).write_text(json.dumps(record))
    with pytest.raises(ModelError, match=r"semsearch-model\.json: damaged"):
        load_spec(folder)


def test_record_without_the_right_file_is_named(tiny_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "mine"))
    record = {"model": "mine", "revision": None, "sha256": {}, "absent": {"other.bin": "ab" * 32}}
    (folder / RECORD_NAME).write_text(json.dumps(record))
    with pytest.raises(ModelError, match=r"no hash of model\.safetensors is known"):
        load_spec(folder)
