"""Predicted cost: weights counted from headers alone, bad headers refused by name."""

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.embedding import estimate
from indexer.embedding.estimate import predict_cost
from indexer.embedding.models import resolve
from indexer.embedding.spec import ModelSpec, load_spec
from indexer.errors import ModelError
from indexer.modes import Placement, Precision


def counted(folder: Path) -> tuple[int, int]:
    return estimate._count_weights(folder)


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The same by the library, which loads the tensors."""
    from safetensors import safe_open

    found = {}
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "np") as tensors:
            names = tensors.keys()
            found.update({name: tuple(tensors.get_slice(name).get_shape()) for name in names})
    return found


def header(shape_of: dict[str, object], file: Path) -> Path:
    entries = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}
        for name, shape in shape_of.items()
    }
    text = json.dumps(entries).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text)
    return file


def test_weights_of_the_tiny_qwen3_are_counted_from_its_configuration(tiny_folder: Path) -> None:
    config = json.loads((tiny_folder / "config.json").read_text())
    hidden, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, values = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    layer = 2 * hidden * queries + 2 * hidden * values + 3 * hidden * inner
    tables, matrices = counted(tiny_folder)
    assert matrices == config["num_hidden_layers"] * layer
    (table,) = [shape for name, shape in shapes(tiny_folder).items() if "embed" in name]
    assert tables == table[0] * table[1]


def test_weights_of_minilm_are_counted_from_its_configuration(minilm_folder: Path) -> None:
    hidden, inner, layers = 384, 1536, 6
    tables, matrices = counted(minilm_folder)
    pooler = hidden * hidden
    position_ids = 512  # a buffer that the checkpoint keeps beside the tables
    assert tables == (30522 + 512 + 2) * hidden + position_ids
    assert matrices == layers * (4 * hidden * hidden + 2 * hidden * inner) + pooler


def test_cost_follows_from_speed_weights_and_precision(
    minilm_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = load_spec(minilm_folder, resolve("minilm"))
    monkeypatch.setattr(estimate, "_cpu_flops", lambda: 100e9)
    monkeypatch.setattr(estimate, "_gpu_flops", lambda _precision: 1000e9)
    tables, matrices = counted(minilm_folder)
    cpu = predict_cost(spec, Placement.CPU, Precision.FP32, batch_tokens=1000)
    assert cpu.mode == "cpu:fp32"
    assert cpu.tokens_per_s == pytest.approx(100e9 * estimate.EFFICIENCY / (2 * matrices))
    activations = 1000 * 384 * estimate.ACTIVATIONS_PER_HIDDEN * 4
    beside = estimate.BASE_BYTES + spec.weights_bytes
    assert cpu.ram_bytes == beside + 4 * (tables + matrices) + activations
    gpu = predict_cost(spec, Placement.GPU, Precision.BF16, batch_tokens=1000)
    assert gpu.mode == "gpu:bf16"
    assert gpu.tokens_per_s == pytest.approx(10 * cpu.tokens_per_s)
    assert gpu.ram_bytes - beside == (cpu.ram_bytes - beside) / 2


@pytest.mark.parametrize(("has_gpu", "mode"), [(True, "gpu:fp32"), (False, "cpu:fp32")])
def test_cost_without_a_placement_takes_the_gpu_where_there_is_one(
    minilm_folder: Path, monkeypatch: pytest.MonkeyPatch, has_gpu: bool, mode: str
) -> None:
    monkeypatch.setattr(estimate, "_has_gpu", lambda: has_gpu)
    monkeypatch.setattr(estimate, "_cpu_flops", lambda: 1.0)
    monkeypatch.setattr(estimate, "_gpu_flops", lambda _precision: 1.0)
    spec: ModelSpec = load_spec(minilm_folder, resolve("minilm"))
    assert predict_cost(spec, None, Precision.FP32).mode == mode


def test_machine_speed_is_measured_as_a_plausible_number() -> None:
    assert 1e8 < estimate._cpu_flops() < 1e15


def test_weights_in_several_files_are_added_up(tmp_path: Path) -> None:
    header({"embed_tokens.weight": [100, 8], "layer.0.q": [8, 8]}, tmp_path / "a.safetensors")
    header({"layer.1.q": [8, 4], "norm.weight": [8]}, tmp_path / "b.safetensors")
    header({"not.listed": [1000, 1000]}, tmp_path / "c.safetensors")
    listed = {"embed_tokens.weight": "a.safetensors", "layer.1.q": "b.safetensors"}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": listed}))
    assert counted(tmp_path) == (800, 96)


def test_weights_beside_the_model_are_not_counted(tmp_path: Path) -> None:
    """A folder may keep a second format or an adapter, which the runtime does not load."""
    header({"layer.0.q": [8, 8]}, tmp_path / "model.safetensors")
    header({"layer.0.q": [8, 8]}, tmp_path / "adapter_model.safetensors")
    assert counted(tmp_path) == (0, 64)


def test_folder_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"{tmp_path}.*missing.*safetensors"):
        counted(tmp_path)


def framed(text: bytes, claimed: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if claimed is None else claimed) + text


BAD_HEADERS = {
    "empty": b"",
    "shorter than its length": b"\x01\x00",
    "length beyond the file": framed(b"{}", 500),
    "length beyond the limit": framed(b"{}", 1 << 60),
    "not UTF-8": framed(b"\xff{{{"),
    "not JSON": framed(b"{'a'}"),
    "a list": framed(b'["a"]'),
    "a number": framed(b"17"),
    "an entry that is no object": framed(b'{"a": 1}'),
    "an entry without a shape": framed(b'{"a": {}}'),
    "a shape that is no list": framed(b'{"a": {"shape": "xy"}}'),
    "a negative dimension": framed(b'{"a": {"shape": [8, -1]}}'),
    "a dimension that is no number": framed(b'{"a": {"shape": [8, "2"]}}'),
    "nesting without end": framed(b"[" * 200_000),
}


@pytest.mark.parametrize("content", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_bad_header_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.safetensors: .*safetensors"):
        counted(tmp_path)


@given(content=st.binary(max_size=200), length=st.integers(0, 200))
def test_any_bytes_are_counted_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, length: int
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", length) + content)
    with pytest.raises(ModelError, match="safetensors"):
        counted(folder)
