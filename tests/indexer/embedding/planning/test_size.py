"""Sizes: weights counted from headers alone, bad headers refused by name."""

import json
import math
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.documents.chunk import ChunkOptions
from indexer.embedding.models import SHORT_NAMES
from indexer.embedding.planning.candidates import ONNX_BATCH_TOKENS
from indexer.embedding.planning.published import PUBLISHED
from indexer.embedding.planning.size import count_weights, read_size
from indexer.embedding.runtimes.onnx_cpu import BATCH_TOKENS
from indexer.embedding.spec import ModelSpec, load_spec
from indexer.errors import ModelError


def counted(folder: Path) -> tuple[int, int]:
    return count_weights(folder)


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The same by the library, which loads the tensors."""
    from safetensors import safe_open

    found = {}
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "np") as tensors:
            names = tensors.keys()
            found.update({name: tuple(tensors.get_slice(name).get_shape()) for name in names})
    return found


def header(shape_of: dict[str, list[int]], file: Path) -> Path:
    """A checkpoint of zeros, which take no space on disk."""
    entries, end = {}, 0
    for name, shape in shape_of.items():
        start, end = end, end + 4 * math.prod(shape)
        entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(entries).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text)
    os.truncate(file, 8 + len(text) + end)
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


def test_size_of_minilm_is_what_is_published(minilm_spec: ModelSpec) -> None:
    size, published = read_size(minilm_spec), PUBLISHED["minilm"]
    assert (size.model, size.architecture) == (published.model, "bert")
    assert (size.hidden, size.inner, size.layers) == (384, 1536, 6)
    assert size.values == pytest.approx(published.values, rel=0.01)  # it has a pooler beside
    assert size.file_bytes == pytest.approx(published.file_bytes, rel=0.01)
    assert size.tokenizer_bytes == pytest.approx(published.tokenizer_bytes, rel=0.01)
    assert size.file_value_bytes == 4
    assert size.against_onnx is None


def test_published_sizes_are_the_models_parameters() -> None:
    """Parameters by the models' pages."""
    billions = {"qwen3-0.6b": 0.596, "qwen3-4b": 4.02, "qwen3-8b": 7.57, "bge-micro-v2": 0.0174}
    for name, count in billions.items():
        assert PUBLISHED[name].values == pytest.approx(count * 1e9, rel=0.02)
    assert set(PUBLISHED) == set(SHORT_NAMES)


def test_onnx_batch_covers_the_runtimes_and_a_chunk() -> None:
    assert max(BATCH_TOKENS, ChunkOptions().max_tokens) == ONNX_BATCH_TOKENS


@pytest.mark.parametrize("value", ["many", -1, 0, 1.5, True, 1 << 40, None])
def test_unbelievable_configuration_falls_back(
    tiny_folder: Path, tmp_path: Path, value: object
) -> None:
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "tiny"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"intermediate_size": value}
    (folder / "config.json").write_text(json.dumps(config))
    assert read_size(load_spec(folder)).inner == 4 * config["hidden_size"]


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


def test_planning_imports_no_engine() -> None:
    code = (
        "import sys; import indexer.embedding.planning.choose;"
        "heavy = {'torch', 'transformers', 'onnxruntime', 'onnx'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
