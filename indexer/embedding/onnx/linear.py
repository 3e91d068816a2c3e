"""Matrix products of a graph in fp32 or int8.

int8: weights are scaled per output channel, activations per token (a text's vector must not depend
on what else is in its batch). A token's values x become q = round(x * levels / max|x|) + zero, so

    x @ W  =  (q - zero) @ Wq  *  (max|x| / levels)  *  column scales.

The product with the columns' scales is one operator (MatMulIntegerToFloat); the tokens' scales come
back to the caller, who often does not need them: a norm that follows is blind to them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.embedding.onnx.graph import CONTRIB, Graph
from indexer.embedding.onnx.saturation import FULL_LEVELS
from indexer.modes import Precision

_WEIGHT_LEVELS = 127
_LEAST = 1e-30  # keeps a token of zeros from dividing by zero


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token states ready to be multiplied, shape (tokens, width)."""

    values: str
    scale: str | None  # int8: what a product is still to be multiplied with, shape (tokens, 1)


class Linear:
    """Adds matrix products of one precision to a graph."""

    def __init__(self, graph: Graph, precision: Precision, levels: int = FULL_LEVELS) -> None:
        """Args: `levels` of an activation on each side of zero, 127 or 63 (int8 only)."""
        assert precision in (Precision.FP32, Precision.INT8)
        self._graph = graph
        self.is_quantised = precision is Precision.INT8
        self._levels = levels
        if self.is_quantised:
            self._one = graph.constant(np.array(1, dtype=np.float32))
            self._zero = graph.constant(np.array(levels + 1, dtype=np.uint8))
            self._weight_zero = graph.constant(np.array(0, dtype=np.int8))

    def prepare(self, states: str) -> Tokens:
        """Token states as the products take them; int8 rounds them."""
        if not self.is_quantised:
            return Tokens(states, None)
        graph = self._graph
        last = graph.integers(-1)
        largest = graph.add("ReduceMax", graph.add("Abs", states), last, keepdims=1)
        largest = graph.add("Max", largest, graph.constant(np.array(_LEAST, dtype=np.float32)))
        scale = graph.add(
            "Mul", largest, graph.constant(np.array(1 / self._levels, dtype=np.float32))
        )
        rows = graph.add("Squeeze", scale, last)
        # QuantizeLinear along an axis wants a zero point for each of its places.
        zeros = graph.add("Expand", self._zero, graph.add("Shape", rows))
        return Tokens(graph.add("QuantizeLinear", states, rows, zeros, axis=0), scale)

    def multiply(self, tokens: Tokens, weights: npt.NDArray[np.float32]) -> str:
        """States @ weights^T, without the tokens' scales.

        Args:
            tokens: from `prepare`, width `inputs`.
            weights: as checkpoints hold them, shape (outputs, inputs).
        """
        graph = self._graph
        if not self.is_quantised:
            return graph.add("MatMul", tokens.values, graph.constant(weights.T))
        scales = np.abs(weights).max(axis=1) / _WEIGHT_LEVELS
        rounded = np.rint(weights / np.maximum(scales, _LEAST)[:, None]).astype(np.int8)
        return graph.add(
            "MatMulIntegerToFloat",
            tokens.values,
            graph.constant(rounded.T),
            self._one,
            graph.constant(scales.astype(np.float32)),
            self._zero,
            self._weight_zero,
            domain=CONTRIB,
        )

    def scaled(self, product: str, tokens: Tokens) -> str:
        """A product with its tokens' scales: the true values."""
        return product if tokens.scale is None else self._graph.add("Mul", product, tokens.scale)
