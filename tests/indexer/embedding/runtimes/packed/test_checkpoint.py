"""Layers are read fused and whole; damaged weights are named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from indexer.embedding.qwen3_config import read_config
from indexer.embedding.runtimes.packed.checkpoint import Checkpoint
from indexer.errors import ModelError
from make_tiny_qwen3 import CONFIG

Change = Callable[[dict[str, Any]], Path]


def opened(folder: Path) -> Checkpoint:
    return Checkpoint(folder, read_config(folder))


def test_layer_holds_the_tensors_of_the_file_fused(
    checkpoint: Checkpoint, tiny_folder: Path
) -> None:
    file = load_file(tiny_folder / "model.safetensors")
    flat = torch.full((checkpoint.layout.size,), float("nan"))
    checkpoint.fill(2, flat)
    layer = checkpoint.layout.views(flat)
    attention = [file[f"layers.2.self_attn.{name}_proj.weight"].float() for name in "qkv"]
    assert torch.equal(layer.qkv, torch.cat(attention))
    mlp = [file[f"layers.2.mlp.{name}_proj.weight"].float() for name in ("gate", "up")]
    assert torch.equal(layer.gate_up, torch.cat(mlp))
    gains = [file[f"layers.2.self_attn.{name}_norm.weight"].float() for name in "qk"]
    assert torch.equal(layer.qk_gain, torch.stack([gains[0]] * 4 + [gains[1]] * 2))
    assert torch.equal(layer.out, file["layers.2.self_attn.o_proj.weight"].float())
    assert torch.equal(layer.down, file["layers.2.mlp.down_proj.weight"].float())
    assert torch.equal(layer.input_norm, file["layers.2.input_layernorm.weight"].float())
    assert torch.equal(layer.post_norm, file["layers.2.post_attention_layernorm.weight"].float())


def test_tensors_of_a_layer_do_not_overlap_and_start_aligned(checkpoint: Checkpoint) -> None:
    layout = checkpoint.layout
    flat = torch.zeros(layout.size, dtype=torch.bfloat16)
    for name in layout.shapes:
        layout.view(flat, name).add_(1)
        assert layout.offsets[name] * 2 % 256 == 0
    assert set(flat.tolist()) <= {0.0, 1.0}


def test_names_with_the_prefix_of_causal_models_are_read(changed: Change) -> None:
    folder = changed({})
    weights = load_file(folder / "model.safetensors")
    save_file({f"model.{k}": v for k, v in weights.items()}, folder / "model.safetensors")
    assert torch.equal(opened(folder).embedding(), weights["embed_tokens.weight"])


def test_weights_in_several_files_are_read(changed: Change) -> None:
    folder = changed({})
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    files = {"a.safetensors": names[:20], "b.safetensors": names[20:]}
    for file, part in files.items():
        save_file({name: weights[name] for name in part}, folder / file)
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {name: file for file, part in files.items() for name in part}}
    changed({"model.safetensors.index.json": index})
    flat = torch.zeros(opened(folder).layout.size)
    opened(folder).fill(3, flat)
    assert torch.equal(
        opened(folder).layout.view(flat, "down"), weights["layers.3.mlp.down_proj.weight"].float()
    )


def test_missing_tensor_is_named(changed: Change) -> None:
    folder = changed({})
    weights = load_file(folder / "model.safetensors")
    del weights["layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors")
    found = opened(folder)
    with pytest.raises(ModelError, match=r"lack layers\.1\.mlp\.up_proj\.weight"):
        found.fill(1, torch.zeros(found.layout.size))


def test_tensor_of_another_shape_is_named_with_both_shapes(changed: Change) -> None:
    folder = changed({"config.json": CONFIG | {"intermediate_size": 128}})
    found = opened(folder)
    with pytest.raises(ModelError, match=r"gate_proj\.weight has shape \(192, 64\).*\(128, 64\)"):
        found.fill(0, torch.zeros(found.layout.size))


def test_quantised_tensor_is_refused(changed: Change) -> None:
    folder = changed({})
    weights = load_file(folder / "model.safetensors")
    weights["norm.weight"] = torch.ones(64, dtype=torch.int8)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"norm\.weight is torch\.int8"):
        opened(folder).final_norm()


@pytest.mark.parametrize("content", [b"", b"\xff" * 100])
def test_damaged_file_is_named(changed: Change, content: bytes) -> None:
    folder = changed({})
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="its weights cannot be read"):
        opened(folder)


def test_file_of_another_model_is_refused(changed: Change) -> None:
    folder = changed({})
    save_file({"x": torch.zeros(2)}, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"lack embed_tokens\.weight"):
        opened(folder)
