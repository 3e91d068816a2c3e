"""Tensors read from safetensors: values of every format, and no trust in what a header says."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from indexer.embedding.checkpoint import Checkpoint
from indexer.errors import ModelError


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_values_are_those_of_torch(tmp_path: Path, kind: torch.dtype) -> None:
    values = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)).to(kind)
    values[0, :3] = torch.tensor([float("inf"), -0.0, 1e-7]).to(kind)
    save_file(
        {"other": torch.zeros(3, dtype=kind), "table": values}, tmp_path / "model.safetensors"
    )
    checkpoint = Checkpoint(tmp_path)
    assert sorted(checkpoint.names) == ["other", "table"]
    assert checkpoint.shape("table") == (5, 7)
    assert "table" in checkpoint
    assert "nothing" not in checkpoint
    np.testing.assert_array_equal(checkpoint.tensor("table", (5, 7)), values.float().numpy())
    rows = checkpoint.rows("table")
    assert rows.count == 5
    picked = rows.take(np.array([4, 0, 4]))
    np.testing.assert_array_equal(picked, values[[4, 0, 4]].float().numpy())


def test_missing_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2, 3), "b": torch.zeros(4)}, tmp_path / "model.safetensors")
    checkpoint = Checkpoint(tmp_path)
    with pytest.raises(ModelError, match=r"holds no weights layers\.0\.q\. Fetch"):
        checkpoint.tensor("layers.0.q", (2, 3))
    with pytest.raises(ModelError, match=r"a has shape \(2, 3\), config\.json asks for \(3, 2\)"):
        checkpoint.tensor("a", (3, 2))
    with pytest.raises(ModelError, match=r"b has shape \(4,\), which is no table"):
        checkpoint.rows("b")


def test_other_number_formats_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2, dtype=torch.int64)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="I64 are not supported here; F32, F16, BF16 are"):
        Checkpoint(tmp_path).tensor("a", (2,))


GOOD = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}


@pytest.mark.parametrize(
    "change",
    [
        {"data_offsets": [0, 12]},
        {"data_offsets": [8, 24]},
        {"data_offsets": [-16, 0]},
        {"data_offsets": [16, 0]},
        {"data_offsets": [0.0, 16.0]},
        {"data_offsets": [0]},
        {"data_offsets": None},
        {"shape": [2, -2]},
        {"shape": [1 << 62, 4]},
        {"shape": "22"},
        {"dtype": None},
    ],
)
def test_tensor_that_lies_elsewhere_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    text = json.dumps({"a": GOOD | change}).encode()
    file = tmp_path / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(16))
    with pytest.raises(ModelError, match="model.safetensors"):
        Checkpoint(tmp_path).tensor("a", (2, 2))


@pytest.mark.parametrize(
    "content",
    [b"", b"1234567", struct.pack("<Q", 1 << 62), struct.pack("<Q", 99) + b"{}", b"\0" * 8]
    + [struct.pack("<Q", len(text)) + text for text in (b"{", b'{"a": 3}', b"[" * 9999)],
)
def test_bad_header_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="model.safetensors: cannot be read as safetensors"):
        Checkpoint(tmp_path)
