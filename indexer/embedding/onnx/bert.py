"""The graph of a BERT-type encoder: summed embeddings in, token states or pooled states out.

Inputs (B texts of at most L tokens):
    states   float32 (B * L, hidden)  word + position + type embeddings, padding behind each text
    shape    int64 (2,)               B, L
    mask     int32 (B, L)             1 for tokens, 0 for padding
    pooled   int64 (rows,)            rows of `states` whose final states are given out
Outputs:
    vectors  float32 (rows, hidden)
"""

import numpy as np
import numpy.typing as npt

from indexer.embedding.checkpoint import Checkpoint
from indexer.embedding.onnx.bert_config import TANH_GELU, BertConfig, name_prefix
from indexer.embedding.onnx.graph import CONTRIB, Graph
from indexer.embedding.onnx.linear import Linear, Tokens


def build_bert(
    graph: Graph,
    linear: Linear,
    checkpoint: Checkpoint,
    config: BertConfig,
    first_token_only: bool,
) -> None:
    """Add inputs, all layers and the output to an empty graph.

    With `first_token_only` one row a text is pooled (CLS), and the last layer computes no others.

    Raises:
        ModelError: the checkpoint lacks a tensor, or one has another shape than config.json says.
    """
    _Builder(graph, linear, checkpoint, config).build(first_token_only)


class _Builder:
    """State while the layers are added one by one."""

    def __init__(
        self, graph: Graph, linear: Linear, checkpoint: Checkpoint, config: BertConfig
    ) -> None:
        self._graph = graph
        self._linear = linear
        self._checkpoint = checkpoint
        self._config = config
        self._prefix = name_prefix(checkpoint)

    def build(self, first_token_only: bool) -> None:
        graph, config = self._graph, self._config
        states = graph.input("states", np.float32, ["T", config.hidden])
        graph.input("shape", np.int64, [2])
        graph.input("mask", np.int32, ["B", "L"])
        graph.input("pooled", np.int64, ["R"])
        states = graph.add(
            "LayerNormalization",
            states,
            *self._norm_weights("embeddings.LayerNorm"),
            epsilon=config.eps,
        )
        for layer in range(config.layers):
            name = f"encoder.layer.{layer}."
            attended = self._attend(f"{name}attention.self.", states)
            if first_token_only and layer == config.layers - 1:
                attended = graph.add("Gather", attended, "pooled", axis=0)
                states = graph.add("Gather", states, "pooled", axis=0)
            states = self._add_and_norm(f"{name}attention.output.", attended, states)
            inner = self._inner(f"{name}intermediate.dense", states)
            states = self._add_and_norm(f"{name}output.", inner, states)
        if not first_token_only:
            states = graph.add("Gather", states, "pooled", axis=0)
        graph.output(states, "vectors", ["R", config.hidden])

    def _attend(self, name: str, states: str) -> str:
        """Attention over the unpadded tokens of each text, (tokens, hidden)."""
        graph, config = self._graph, self._config
        tokens = self._linear.prepare(states)
        shape = graph.add("Concat", "shape", graph.integers(config.hidden), axis=0)
        parts, biases = [], []
        for part in ("query", "key", "value"):
            product = self._product(f"{name}{part}", tokens, config.hidden, config.hidden)
            parts.append(graph.add("Reshape", product, shape))
            biases.append(self._tensor(f"{name}{part}.bias", config.hidden))
        attended = graph.add(
            "MultiHeadAttention",
            *parts,
            graph.constant(np.concatenate(biases)),
            "mask",
            domain=CONTRIB,
            num_heads=config.heads,
        )
        return graph.add("Reshape", attended, graph.integers(-1, config.hidden))

    def _inner(self, name: str, states: str) -> str:
        """The activated wide layer, (tokens, intermediate)."""
        graph, config = self._graph, self._config
        tokens = self._linear.prepare(states)
        product = self._product(name, tokens, config.intermediate, config.hidden)
        bias = graph.constant(self._tensor(f"{name}.bias", config.intermediate))
        if config.activation == "relu":
            return graph.add("Relu", graph.add("Add", product, bias))
        operator = "FastGelu" if config.activation in TANH_GELU else "BiasGelu"
        return graph.add(operator, product, bias, domain=CONTRIB)

    def _add_and_norm(self, name: str, inner: str, states: str) -> str:
        """LayerNorm(states + dense(inner)), (tokens, hidden)."""
        graph, config = self._graph, self._config
        tokens = self._linear.prepare(inner)
        weights = f"{self._prefix}{name}dense.weight"
        inputs = self._checkpoint.shape(weights)[-1]
        product = self._product(f"{name}dense", tokens, config.hidden, inputs)
        return graph.add(
            "SkipLayerNormalization",
            product,
            states,
            *self._norm_weights(f"{name}LayerNorm"),
            graph.constant(self._tensor(f"{name}dense.bias", config.hidden)),
            domain=CONTRIB,
            epsilon=config.eps,
        )

    def _product(self, name: str, tokens: Tokens, outputs: int, inputs: int) -> str:
        weights = self._checkpoint.tensor(f"{self._prefix}{name}.weight", (outputs, inputs))
        return self._linear.scaled(self._linear.multiply(tokens, weights), tokens)

    def _norm_weights(self, name: str) -> list[str]:
        """Gains and shifts; checkpoints converted from TensorFlow call them gamma and beta."""
        old = f"{self._prefix}{name}.gamma" in self._checkpoint
        names = ("gamma", "beta") if old else ("weight", "bias")
        return [
            self._graph.constant(self._tensor(f"{name}.{part}", self._config.hidden))
            for part in names
        ]

    def _tensor(self, name: str, size: int) -> npt.NDArray[np.float32]:
        return self._checkpoint.tensor(f"{self._prefix}{name}", (size,))
