"""Products of a graph against numpy: exact in fp32, within half a level in int8."""

from pathlib import Path

import numpy as np
import pytest

from indexer.embedding.onnx.files import GRAPH_NAME
from indexer.embedding.onnx.graph import Graph
from indexer.embedding.onnx.linear import Linear
from indexer.embedding.onnx.saturation import FULL_LEVELS, SAFE_LEVELS, activation_levels
from indexer.embedding.onnx.session import Session
from indexer.modes import Precision
from indexer.types import Vectors

INPUTS, OUTPUTS = 96, 40


def _product(
    folder: Path, states: Vectors, weights: Vectors, precision: Precision, levels: int = FULL_LEVELS
) -> Vectors:
    with Graph(folder) as graph:
        linear = Linear(graph, precision, levels)
        tokens = linear.prepare(graph.input("states", np.float32, ["T", INPUTS]))
        product = linear.scaled(linear.multiply(tokens, weights), tokens)
        graph.output(product, "product", ["T", OUTPUTS])
        graph.save()
    return Session(folder / GRAPH_NAME, threads=1).run(["product"], {"states": states})[0]


@pytest.fixture
def numbers() -> tuple[Vectors, Vectors]:
    draw = np.random.default_rng(3)
    states = draw.standard_normal((7, INPUTS)).astype(np.float32)
    states *= np.array([1e-6, 1e-3, 1, 10, 1e3, 1e6, 0], dtype=np.float32)[:, None]
    return states, draw.standard_normal((OUTPUTS, INPUTS)).astype(np.float32)


def test_fp32_product_is_numpys(tmp_path: Path, numbers: tuple[Vectors, Vectors]) -> None:
    states, weights = numbers
    product = _product(tmp_path, states, weights, Precision.FP32)
    np.testing.assert_allclose(product, states @ weights.T, rtol=1e-4, atol=1e-30)


@pytest.mark.parametrize("levels", [FULL_LEVELS, SAFE_LEVELS])
def test_int8_product_is_that_of_the_rounded_values(
    tmp_path: Path, numbers: tuple[Vectors, Vectors], levels: int
) -> None:
    """Tokens twelve orders of magnitude apart: each has its own scale, a token of zeros too."""
    if levels > activation_levels(tmp_path):
        pytest.skip("the product of this CPU saturates over the full range")
    states, weights = numbers
    product = _product(tmp_path, states, weights, Precision.INT8, levels)
    scale = np.maximum(np.abs(states).max(axis=1, keepdims=True), 1e-30) / levels
    columns = np.abs(weights).max(axis=1) / 127
    rounded = np.rint(states / scale) @ np.rint(weights / columns[:, None]).T
    expected = rounded * scale * columns
    np.testing.assert_allclose(product, expected, rtol=2e-3, atol=1e-30)
    assert not product[6].any()


def test_largest_values_do_not_saturate(tmp_path: Path) -> None:
    """All activations and weights at their ends: the sums that overflow 16 bits first."""
    states = np.ones((1, INPUTS), dtype=np.float32)
    weights = np.ones((OUTPUTS, INPUTS), dtype=np.float32)
    product = _product(tmp_path, states, weights, Precision.INT8, activation_levels(tmp_path))
    np.testing.assert_allclose(product, np.full((1, OUTPUTS), INPUTS), rtol=1e-5)
    assert np.iinfo(np.int16).max >= 2 * (2 * SAFE_LEVELS + 1) * 127
