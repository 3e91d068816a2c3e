"""Model folders for the embedding tests: a tiny Qwen3 made here, and the bundled MiniLM."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import make_tiny_qwen3
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.models import resolve
from indexer.embedding.opening import open_embedder
from indexer.embedding.runtimes.packed.opening import open_resident, open_streamed
from indexer.embedding.spec import load_spec
from indexer.embedding.wishes import Engine, Wishes
from indexer.modes import Placement, Precision

REFERENCE = Wishes(Placement.CPU, Precision.FP32, Engine.TORCH)


@pytest.fixture(scope="session")
def maker() -> ModuleType:
    return make_tiny_qwen3


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_qwen3.make_tiny_qwen3(tmp_path_factory.mktemp("models") / "tiny-qwen3")


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    folder = resolve("minilm").folder
    assert folder is not None
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> LocalEmbedder:
    return open_embedder(load_spec(tiny_folder), REFERENCE)


@pytest.fixture(scope="session")
def minilm(minilm_folder: Path) -> LocalEmbedder:
    return open_embedder(load_spec(minilm_folder, resolve("minilm")), REFERENCE)


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cache folder of prepared graphs."""
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="session")
def tiny_onnx(tiny: LocalEmbedder, graphs: Path) -> LocalEmbedder:
    return _onnx(tiny, graphs, Precision.FP32)


@pytest.fixture(scope="session")
def minilm_onnx(minilm: LocalEmbedder, graphs: Path) -> LocalEmbedder:
    return _onnx(minilm, graphs, Precision.FP32)


@pytest.fixture(scope="session")
def tiny_int8(tiny: LocalEmbedder, graphs: Path) -> LocalEmbedder:
    return _onnx(tiny, graphs, Precision.INT8)


@pytest.fixture(scope="session")
def minilm_int8(minilm: LocalEmbedder, graphs: Path) -> LocalEmbedder:
    return _onnx(minilm, graphs, Precision.INT8)


def _onnx(reference: LocalEmbedder, graphs: Path, precision: Precision) -> LocalEmbedder:
    wishes = Wishes(Placement.CPU, precision, Engine.ONNX)
    found = open_embedder(reference.spec, wishes, cache_folder=graphs)
    assert isinstance(found, LocalEmbedder)
    return found


@pytest.fixture(scope="session")
def packed(tiny: LocalEmbedder) -> LocalEmbedder:
    """The tiny model through the packed forward, layers in RAM."""
    return LocalEmbedder(tiny.spec, tiny.tokenizer, open_resident(tiny.spec))


@pytest.fixture(scope="session")
def streamed(tiny: LocalEmbedder) -> LocalEmbedder:
    """The same with one of four layers resident and three travelling."""
    runtime = open_streamed(tiny.spec, "cpu", Precision.FP32, 1_200_000, max_batch_tokens=256)
    assert "1 of 4 layers stay" in runtime.notes[0]
    return LocalEmbedder(tiny.spec, tiny.tokenizer, runtime)


@pytest.fixture(params=["tiny", "minilm"])
def model_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def embedder(model_name: str, request: pytest.FixtureRequest) -> LocalEmbedder:
    """Each model in turn."""
    found = request.getfixturevalue(model_name)
    assert isinstance(found, LocalEmbedder)
    return found


@pytest.fixture
def changed(tmp_path: Path, tiny_folder: Path) -> Callable[..., Path]:
    """A copy of the tiny folder with files replaced ({path: JSON value}) or removed (None)."""

    def change(files: dict[str, Any]) -> Path:
        folder = tmp_path / "changed"
        shutil.copytree(tiny_folder, folder, dirs_exist_ok=True)
        for name, value in files.items():
            if value is None:
                (folder / name).unlink()
            else:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(json.dumps(value), encoding="utf-8")
        return folder

    return change


def _widen(tensors: dict[str, torch.Tensor], made: str, met: list[str], factor: float) -> None:
    """Make three channels `factor` times larger where they are made, smaller where they are met."""
    draw = np.random.default_rng(len(made))
    channels = draw.choice(len(tensors[made]), 3, replace=False)
    tensors[made][channels] *= factor
    for name in met:
        tensors[name][:, channels] /= factor


@pytest.fixture(scope="session")
def outliers(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a function, with channels 200 times larger than others inside."""
    tensors = {k: v.float() for k, v in load_file(tiny_folder / "model.safetensors").items()}
    layers = {name.split(".mlp.")[0] for name in tensors if ".mlp." in name}
    for layer in layers:
        heads = [f"{layer}.self_attn.{part}_proj.weight" for part in "qkv"]
        _widen(tensors, f"{layer}.input_layernorm.weight", heads, 200)
        inner = [f"{layer}.mlp.{part}_proj.weight" for part in ("gate", "up")]
        _widen(tensors, f"{layer}.post_attention_layernorm.weight", inner, 200)
        _widen(tensors, inner[1], [f"{layer}.mlp.down_proj.weight"], 200)
    folder = tmp_path_factory.mktemp("models") / "outliers"
    shutil.copytree(tiny_folder, folder)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
