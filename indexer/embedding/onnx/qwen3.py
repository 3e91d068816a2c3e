"""The graph of a Qwen3 embedding model: token embeddings in, the last token's state out.

What differs from the textbook forward, and why:

- Keys and values of a common beginning (an instruction) can be handed in and handed out, so that
  they are computed once.
- The last layer's queries, attention, MLP and norm are computed for the pooled tokens only.
- In int8 the queries, keys and `up` stay without their tokens' scales: RMSNorm is blind to a
  factor, and so is the rounding before `down`.

Inputs (B texts of at most L tokens, P tokens of a common beginning before them):
    states       float32 (B * L, hidden)   embeddings of the tokens, padding behind each text
    shape        int64 (2,)                B, L
    ends         int32 (B,)                position of each text's last token, the beginning counted
    positions    int64 (B, 1)              the same
    offset       int64 (1,)                P
    total        int32 ()                  P + L
    short        bool ()                   all scores of a text may be held at once
    cos, sin     float32 (at least P + L, head_dim / 2)
    pooled       int64 (B,)                rows of `states` that are pooled
    mask         float32 (B, 1, 1, P + L)  0 for tokens, very negative for padding
    past_keys, past_values  float32 (layers, B, kv_heads, P, head_dim)
    kept         int64 (1,)                how many leading tokens' keys and values to give out
Outputs:
    vectors      float32 (B, hidden)
    keys, values float32 (layers, B, kv_heads, kept, head_dim)
"""

import numpy as np

from indexer.embedding.checkpoint import Checkpoint
from indexer.embedding.onnx.graph import CONTRIB, Graph
from indexer.embedding.onnx.linear import Linear, Tokens
from indexer.embedding.qwen3_config import Qwen3Config
from indexer.embedding.qwen3_layer import (
    Gains,
    LayerWeights,
    Matrix,
    name_prefix,
    read_layer,
    smooth,
)


def build_qwen3(graph: Graph, linear: Linear, checkpoint: Checkpoint, config: Qwen3Config) -> None:
    """Add inputs, all layers and outputs to an empty graph.

    Raises:
        ModelError: the checkpoint lacks a tensor, or one has another shape than config.json says.
    """
    _Builder(graph, linear, checkpoint, config).build()


_Operands = tuple[str, str, str, str, str]  # queries, keys, values, keys and values before them


class _Builder:
    """State while the layers are added one by one."""

    def __init__(
        self, graph: Graph, linear: Linear, checkpoint: Checkpoint, config: Qwen3Config
    ) -> None:
        self._graph = graph
        self._linear = linear
        self._checkpoint = checkpoint
        self._config = config
        self._prefix = name_prefix(checkpoint)
        self._past: list[tuple[str, str]] = []  # (keys, values) of the beginning, by layer
        self._kept: list[tuple[str, str]] = []  # (keys, values) to give out, by layer

    def build(self) -> None:
        graph, config = self._graph, self._config
        self._add_inputs()
        states, branch = "states", ""  # the residual stream, and what is still to be added to it
        for layer in range(config.layers):
            weights = read_layer(self._checkpoint, config, f"{self._prefix}layers.{layer}.")
            if self._linear.is_quantised:
                weights = smooth(weights, config)
            normed, states = self._norm(states, branch, weights.input_gains)
            if layer < config.layers - 1:
                attended = self._attend(weights, normed, layer)
            else:
                attended = self._attend_pooled(weights, normed, layer)
                states = graph.add("Gather", states, "pooled", axis=0)
            tokens = self._linear.prepare(attended)
            branch = self._linear.scaled(self._linear.multiply(tokens, weights.out), tokens)
            normed, states = self._norm(states, branch, weights.inner_gains)
            branch = self._feed_forward(weights, normed)
        gains = self._checkpoint.tensor(f"{self._prefix}norm.weight", (config.hidden,))
        final, _ = self._norm(states, branch, gains)
        graph.output(final, "vectors", ["B", config.hidden])
        shape: list[int | str] = [config.layers, "B", config.kv_heads, "kept", config.head_dim]
        for name, parts in zip(("keys", "values"), zip(*self._kept, strict=True), strict=True):
            graph.output(graph.add("Concat", *parts, axis=0), name, shape)

    def _add_inputs(self) -> None:
        graph, config = self._graph, self._config
        graph.input("states", np.float32, ["T", config.hidden])
        graph.input("shape", np.int64, [2])
        graph.input("ends", np.int32, ["B"])
        graph.input("positions", np.int64, ["B", 1])
        graph.input("offset", np.int64, [1])
        graph.input("total", np.int32, [])
        graph.input("short", np.bool_, [])
        graph.input("cos", np.float32, ["M", config.head_dim // 2])
        graph.input("sin", np.float32, ["M", config.head_dim // 2])
        graph.input("pooled", np.int64, ["B"])
        graph.input("mask", np.float32, ["B", 1, 1, "S"])
        graph.input("kept", np.int64, [1])
        past: list[int | str] = [config.layers, "B", config.kv_heads, "P", config.head_dim]
        split = []
        for name in ("past_keys", "past_values"):
            graph.input(name, np.float32, past)
            parts = graph.add_many(
                "Split", [True] * config.layers, name, num_outputs=config.layers, axis=0
            )
            split.append([graph.add("Squeeze", part, graph.integers(0)) for part in parts])
        self._past = list(zip(*split, strict=True))

    def _attend(self, weights: LayerWeights, normed: str, layer: int) -> str:
        """Attention of every token, (tokens, query_size)."""
        graph, config = self._graph, self._config
        tokens = self._linear.prepare(normed)
        queries = self._heads(tokens, weights.queries, weights.query_gains)
        keys = self._heads(tokens, weights.keys, weights.key_gains)
        values = self._values(tokens, weights.values)
        operands = (
            self._by_text(queries, config.query_size),
            self._by_text(keys, config.key_size),
            values,
            *self._past[layer],
        )
        attended, keys, values = graph.choose(
            "short", lambda: self._attend_short(operands), lambda: self._attend_long(operands)
        )
        self._keep(keys, values)
        return graph.add("Reshape", attended, graph.integers(-1, config.query_size))

    def _attend_short(self, operands: _Operands) -> list[str]:
        """All scores at once. Padding lies behind the tokens, where causality hides it."""
        queries, keys, values, *past = operands
        return self._graph.add_many(
            "Attention",
            [True, True, True],
            self._rotate(queries, "offset"),
            self._rotate(keys, "offset"),
            values,
            "",  # no mask
            *past,
            q_num_heads=self._config.heads,
            kv_num_heads=self._config.kv_heads,
            is_causal=1,
        )

    def _attend_long(self, operands: _Operands) -> list[str]:
        """Block by block, never holding all scores of a long text."""
        return self._graph.add_many(
            "GroupQueryAttention",
            [True, True, True],
            *operands,
            "ends",
            "total",
            "cos",
            "sin",
            domain=CONTRIB,
            num_heads=self._config.heads,
            kv_num_heads=self._config.kv_heads,
            do_rotary=1,
        )

    def _attend_pooled(self, weights: LayerWeights, normed: str, layer: int) -> str:
        """Attention of the pooled tokens alone, (B, query_size): each sees all before it."""
        graph, config = self._graph, self._config
        size, groups = config.head_dim, config.heads // config.kv_heads
        tokens = self._linear.prepare(normed)
        keys = self._by_text(self._heads(tokens, weights.keys, weights.key_gains), config.key_size)
        keys = self._rotate(keys, "offset")
        keys = self._after_past(self._past[layer][0], keys)
        values = self._after_past(self._past[layer][1], self._values(tokens, weights.values))
        self._keep(keys, values)
        tokens = self._linear.prepare(graph.add("Gather", normed, "pooled", axis=0))
        queries = self._heads(tokens, weights.queries, weights.query_gains)
        queries = graph.add("Reshape", queries, graph.integers(-1, 1, config.query_size))
        queries = self._rotate(queries, "positions")
        queries = graph.add("Reshape", queries, graph.integers(-1, config.kv_heads, groups, size))
        scores = graph.add(
            "FusedMatMul", queries, keys, domain=CONTRIB, transB=1, alpha=float(size**-0.5)
        )
        shares = graph.add("Softmax", graph.add("Add", scores, "mask"), axis=-1)
        attended = graph.add("MatMul", shares, values)
        return graph.add("Reshape", attended, graph.integers(-1, config.query_size))

    def _feed_forward(self, weights: LayerWeights, normed: str) -> str:
        """down(silu(gate) * up), (tokens, hidden)."""
        graph, linear = self._graph, self._linear
        tokens = linear.prepare(normed)
        gate = linear.scaled(linear.multiply(tokens, weights.gate), tokens)
        up = linear.multiply(tokens, weights.up)
        # x * sigmoid(1 * x) is SiLU.
        gated = graph.add("QuickGelu", gate, domain=CONTRIB, alpha=1.0)
        inner = linear.prepare(graph.add("Mul", gated, up))
        product = linear.multiply(inner, weights.down)
        return linear.scaled(linear.scaled(product, tokens), inner)

    def _norm(self, states: str, branch: str, weights: Gains) -> tuple[str, str]:
        """(RMSNorm of states + branch, states + branch)."""
        graph, config = self._graph, self._config
        gains = graph.constant(weights)
        if not branch:
            normed = graph.add("SimplifiedLayerNormalization", states, gains, epsilon=config.eps)
            return normed, states
        normed, total = graph.add_many(
            "SkipSimplifiedLayerNormalization",
            [True, False, False, True],
            states,
            branch,
            gains,
            domain=CONTRIB,
            epsilon=config.eps,
        )
        return normed, total

    def _heads(self, tokens: Tokens, weights: Matrix, gains: Gains) -> str:
        """Queries or keys, each head normalised, (tokens * heads, head_dim)."""
        graph, config = self._graph, self._config
        product = self._linear.multiply(tokens, weights)
        heads = graph.add("Reshape", product, graph.integers(-1, config.head_dim))
        return graph.add(
            "SimplifiedLayerNormalization", heads, graph.constant(gains), epsilon=config.eps
        )

    def _values(self, tokens: Tokens, weights: Matrix) -> str:
        """Values of all tokens, (B, L, key_size)."""
        values = self._linear.scaled(self._linear.multiply(tokens, weights), tokens)
        return self._by_text(values, self._config.key_size)

    def _rotate(self, states: str, positions: str) -> str:
        """Rotary positions, (B, L, heads * head_dim) as before."""
        return self._graph.add(
            "RotaryEmbedding", states, positions, "cos", "sin", domain=CONTRIB, interleaved=0
        )

    def _after_past(self, past: str, states: str) -> str:
        """(B, L, key_size) behind the beginning's (B, kv_heads, P, head_dim)."""
        graph, config = self._graph, self._config
        # 0 keeps an axis as it is.
        heads = graph.add("Reshape", states, graph.integers(0, 0, config.kv_heads, config.head_dim))
        return graph.add("Concat", past, graph.add("Transpose", heads, perm=[0, 2, 1, 3]), axis=2)

    def _keep(self, keys: str, values: str) -> None:
        """The leading tokens' keys and values, (1, B, kv_heads, kept, head_dim)."""
        graph = self._graph
        start, axis = graph.integers(0), graph.integers(2)
        kept = [
            graph.add("Unsqueeze", graph.add("Slice", part, start, "kept", axis), start)
            for part in (keys, values)
        ]
        self._kept.append((kept[0], kept[1]))

    def _by_text(self, states: str, width: int) -> str:
        """(tokens, width) -> (B, L, width)."""
        graph = self._graph
        shape = graph.add("Concat", "shape", graph.integers(width), axis=0)
        return graph.add("Reshape", states, shape)
