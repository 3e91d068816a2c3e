"""Smoothing: the same function, and int8 that survives channels of very different size."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from indexer.embedding.checkpoint import Checkpoint
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.onnx import qwen3
from indexer.embedding.qwen3_config import read_config
from indexer.embedding.qwen3_layer import LayerWeights, name_prefix, read_layer, smooth
from indexer.embedding.runtimes.onnx_cpu import OnnxModel
from indexer.embedding.spec import load_spec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.modes import Precision
from indexer.types import Kind, Vectors

TEXTS = [f"text {i} " + "search index " * i for i in range(40)]


def _embed(folder: Path, precision: Precision, graphs: Path) -> Vectors:
    spec = load_spec(folder)
    runtime = OnnxModel(spec, precision, graphs, 1)
    with LocalEmbedder(spec, load_tokenizer(spec), runtime) as embedder:
        return embedder.embed(TEXTS, Kind.DOCUMENT)


def test_int8_survives_outliers_that_ruin_plain_rounding(
    outliers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = _embed(outliers, Precision.FP32, tmp_path)
    smoothed = _embed(outliers, Precision.INT8, tmp_path)
    monkeypatch.setattr(qwen3, "smooth", lambda weights, _: weights)
    plain = _embed(outliers, Precision.INT8, tmp_path / "plain")
    assert np.einsum("ij,ij->i", exact, smoothed).min() >= 0.999
    assert np.einsum("ij,ij->i", exact, plain).mean() < 0.9


def test_smoothed_layers_are_the_same_function(
    outliers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = _embed(outliers, Precision.FP32, tmp_path)
    read = read_layer

    def read_smoothed(checkpoint: Checkpoint, config: object, name: str) -> LayerWeights:
        return smooth(read(checkpoint, config, name), config)

    monkeypatch.setattr(qwen3, "read_layer", read_smoothed)
    smoothed = _embed(outliers, Precision.FP32, tmp_path / "smoothed")
    np.testing.assert_allclose(smoothed, exact, atol=1e-5)


def test_dead_channels_stay_as_they_are(tiny_folder: Path) -> None:
    config = read_config(tiny_folder)
    checkpoint = Checkpoint(tiny_folder)
    prefix = name_prefix(checkpoint)
    weights = read_layer(checkpoint, config, f"{prefix}layers.0.")
    weights.input_gains[3] = 0
    weights.down[:, 5] = 0
    weights.values[:] = 0
    smoothed = smooth(weights, config)
    assert all(np.isfinite(getattr(smoothed, f.name)).all() for f in fields(smoothed))
    np.testing.assert_array_equal(smoothed.queries[:, 3], weights.queries[:, 3])
    np.testing.assert_array_equal(smoothed.out, weights.out)
