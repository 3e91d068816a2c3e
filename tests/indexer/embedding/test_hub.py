"""Fetching a model from a hub that cuts, lies, refuses or is not there."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fake_hub import FakeHub, serve
from indexer.embedding.hub import fetch
from indexer.embedding.models import ModelRef
from indexer.errors import ModelError

REVISION = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = bytes(range(256)) * 4096  # 1 MiB
MODULES = [
    {"path": "", "type": "sentence_transformers.models.Transformer"},
    {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]
FILES = {
    "config.json": b'{"model_type": "bert"}',
    "modules.json": json.dumps(MODULES).encode(),
    "1_Pooling/config.json": b'{"word_embedding_dimension": 8, "pooling_mode_cls_token": true}',
    "tokenizer.json": b"{}",
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"a pickle",
    "onnx/model.onnx": b"other runtime",
    "README.md": b"words",
}
REF = ModelRef("org/small", "org/small")


@pytest.fixture
def hub() -> Iterator[Any]:
    with serve(FakeHub(dict(FILES))) as served:
        yield served


def pull(hub: Any, folder: Path, ref: ModelRef = REF, **options: Any) -> Path:
    return fetch(ref, folder, endpoint=hub.url, retry_wait_s=0.0, **options)


def test_fetch_brings_safetensors_and_text_and_no_pickle(hub: Any, tmp_path: Path) -> None:
    folder = pull(hub, tmp_path)
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert names == {
        "config.json",
        "modules.json",
        "1_Pooling/config.json",
        "tokenizer.json",
        "model.safetensors",
        "semsearch-model.json",
    }
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert not list(tmp_path.glob("*.partial"))


def test_fetch_records_revision_and_hashes(hub: Any, tmp_path: Path) -> None:
    record = json.loads((pull(hub, tmp_path) / "semsearch-model.json").read_text())
    assert record["model"] == "org/small"
    assert record["revision"] == REVISION
    assert record["sha256"]["model.safetensors"] == hashlib.sha256(WEIGHTS).hexdigest()


def test_fetch_second_time_asks_the_hub_nothing(hub: Any, tmp_path: Path) -> None:
    first = pull(hub, tmp_path)
    hub.requests.clear()
    assert pull(hub, tmp_path) == first
    assert hub.requests == []


def test_fetch_reports_bytes_up_to_the_total(hub: Any, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    pull(hub, tmp_path, on_progress=lambda *progress: seen.append(progress))
    total = sum(len(d) for n, d in FILES.items() if not n.endswith((".bin", ".onnx", ".md")))
    assert seen[-1] == ("model.safetensors", total, total)


def test_fetch_cut_connection_goes_on_where_it_broke(hub: Any, tmp_path: Path) -> None:
    hub.cut_after = [300_000, 200_000]
    seen: list[int] = []
    folder = pull(hub, tmp_path, on_progress=lambda _, done, __: seen.append(done))
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.weight_requests() == [None, "bytes=300000-", "bytes=500000-"]
    assert seen == sorted(seen)


def test_fetch_given_up_goes_on_in_the_next_run(hub: Any, tmp_path: Path) -> None:
    hub.cut_after = [400_000, 0, 0, 0, 0, 0, 0]
    with pytest.raises(ModelError, match=r"model\.safetensors.*HF_ENDPOINT"):
        pull(hub, tmp_path)
    hub.cut_after = []
    hub.requests.clear()
    folder = pull(hub, tmp_path)
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.weight_requests() == ["bytes=400000-"]


def test_fetch_from_a_mirror_without_ranges_starts_over(hub: Any, tmp_path: Path) -> None:
    hub.cut_after = [300_000]
    hub.ignores_range = True
    seen: list[int] = []
    folder = pull(hub, tmp_path, on_progress=lambda _, done, total: seen.append(total - done))
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert seen[-1] == 0


def test_fetch_part_longer_than_the_file_starts_over(hub: Any, tmp_path: Path) -> None:
    partial = tmp_path / f"org--small.{REVISION[:12]}.partial"
    partial.mkdir()
    (partial / "model.safetensors.part").write_bytes(WEIGHTS + b"more")
    assert (pull(hub, tmp_path) / "model.safetensors").read_bytes() == WEIGHTS


def test_fetch_wrong_published_hash_is_refused_and_removed(hub: Any, tmp_path: Path) -> None:
    wanted = "ab" * 32
    ref = ModelRef("org/small", "org/small", REVISION, {"model.safetensors": wanted})
    with pytest.raises(ModelError) as caught:
        pull(hub, tmp_path, ref)
    text = str(caught.value)
    assert "model.safetensors" in text
    assert hashlib.sha256(WEIGHTS).hexdigest() in text
    assert wanted in text
    assert not list(tmp_path.rglob("model.safetensors*"))


def test_fetch_content_other_than_listed_is_refused(hub: Any, tmp_path: Path) -> None:
    hub.listed_sha256 = {"model.safetensors": "cd" * 32}
    with pytest.raises(ModelError, match="cd" * 32):
        pull(hub, tmp_path)


def test_fetch_other_revision_than_pinned_is_refused(hub: Any, tmp_path: Path) -> None:
    pinned = "f" * 40
    with pytest.raises(ModelError, match=f"{REVISION}, pinned is {pinned}"):
        pull(hub, tmp_path, ModelRef("org/small", "org/small", pinned))


def test_fetch_unknown_model_names_it_and_the_hub(hub: Any, tmp_path: Path) -> None:
    hub.status = 404
    with pytest.raises(ModelError, match=f"org/small: not found at {hub.url}"):
        pull(hub, tmp_path)


def test_fetch_gated_model_says_how_to_get_access(hub: Any, tmp_path: Path) -> None:
    hub.status = 401
    with pytest.raises(ModelError, match="HF_TOKEN"):
        pull(hub, tmp_path)


def test_fetch_sends_the_token(hub: Any, tmp_path: Path) -> None:
    pull(hub, tmp_path, token="hf_secret")
    assert set(hub.authorization) == {"Bearer hf_secret"}


def test_fetch_failing_hub_is_asked_five_times_and_the_ways_out_named(
    hub: Any, tmp_path: Path
) -> None:
    hub.status = 503
    with pytest.raises(ModelError) as caught:
        pull(hub, tmp_path)
    assert len(hub.requests) == 5
    for way in ("answers 503", "HF_ENDPOINT", "copy the folder", "local folder", "--model minilm"):
        assert way in str(caught.value)


def test_fetch_nobody_listening_names_the_ways_out(tmp_path: Path) -> None:
    with serve(FakeHub({})) as gone:
        pass
    with pytest.raises(ModelError) as caught:
        pull(gone, tmp_path)
    for way in (gone.url, "HF_ENDPOINT", str(tmp_path / "org--small"), "--model minilm"):
        assert way in str(caught.value)


@pytest.mark.parametrize("endpoint", ["hub.example", "http://[::1", "ftp://hub.example"])
def test_fetch_endpoint_that_is_no_web_address_is_named(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(ModelError) as caught:
        fetch(REF, tmp_path, endpoint=endpoint)
    assert endpoint in str(caught.value)


def test_fetch_models_folder_that_cannot_be_made_is_named(hub: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ModelError, match=r"org--small: cannot be read or written"):
        pull(hub, tmp_path / "file" / "models")


def test_fetch_by_two_processes_at_once_downloads_once(hub: Any, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: pull(hub, tmp_path), range(2))
    assert first == second
    assert hub.weight_requests() == [None]


def test_fetch_offline_asks_nothing_and_names_the_ways_out(hub: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"offline mode is on.*--model minilm"):
        pull(hub, tmp_path, offline=True)
    assert hub.requests == []


def test_fetch_offline_uses_what_is_there(hub: Any, tmp_path: Path) -> None:
    folder = pull(hub, tmp_path)
    assert pull(hub, tmp_path, offline=True) == folder


@pytest.mark.parametrize("name", ["model.safetensors", "1_Pooling/config.json"])
def test_fetch_changed_file_is_refused_on_the_next_start(
    hub: Any, tmp_path: Path, name: str
) -> None:
    path = pull(hub, tmp_path) / name
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ModelError, match="expected") as caught:
        pull(hub, tmp_path)
    assert str(path) in str(caught.value)


def test_fetch_folder_copied_from_another_machine_is_used(hub: Any, tmp_path: Path) -> None:
    original = pull(hub, tmp_path / "there")
    shutil.copytree(original, tmp_path / "here" / original.name)
    found = pull(hub, tmp_path / "here", offline=True)
    assert found == tmp_path / "here" / "org--small"


def test_fetch_copied_folder_without_record_gets_one_and_is_held_to_it(
    hub: Any, tmp_path: Path
) -> None:
    folder = pull(hub, tmp_path)
    (folder / "semsearch-model.json").unlink()
    pull(hub, tmp_path, offline=True)
    (folder / "model.safetensors").write_bytes(WEIGHTS + b"x")
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        pull(hub, tmp_path, offline=True)


def test_fetch_model_without_safetensors_is_refused(hub: Any, tmp_path: Path) -> None:
    del hub.files["model.safetensors"]
    with pytest.raises(ModelError, match="pickles are never loaded"):
        pull(hub, tmp_path)


def test_fetch_unsupported_module_is_refused_before_the_weights(hub: Any, tmp_path: Path) -> None:
    modules = [*MODULES, {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}]
    hub.files["modules.json"] = json.dumps(modules).encode()
    with pytest.raises(ModelError, match="module Dense"):
        pull(hub, tmp_path)
    assert hub.weight_requests() == []


@pytest.mark.parametrize(
    "name", ["../outside.json", "/abs.json", "..\\outside.json", ".hidden.json", "a/b/c.json"]
)
def test_fetch_hostile_file_names_are_left_out(hub: Any, tmp_path: Path, name: str) -> None:
    hub.files[name] = b"{}"
    folder = pull(hub, tmp_path / "models")
    assert not list(tmp_path.rglob("*outside*"))
    assert not any(name in path for path, _ in hub.requests)
    assert folder.name == "org--small"


def test_fetch_hostile_revision_is_no_folder_name(hub: Any, tmp_path: Path) -> None:
    hub.revision = "../../escape"
    with pytest.raises(ModelError, match="no model hub's answer"):
        pull(hub, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["org--small.lock"])
