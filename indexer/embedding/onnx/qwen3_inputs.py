"""Token ids -> the inputs of the Qwen3 graph, and its output -> vectors."""

import threading
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from indexer.embedding.checkpoint import Checkpoint
from indexer.embedding.onnx.encoder import Beginning, Encoder, Feeds, TokenBatch, padded
from indexer.embedding.qwen3_config import read_config
from indexer.embedding.qwen3_layer import name_prefix
from indexer.embedding.spec import ModelSpec
from indexer.types import Vectors

if TYPE_CHECKING:
    from indexer.embedding.onnx.graph import Graph
    from indexer.embedding.onnx.linear import Linear

_HIDDEN = np.float32(-1e30)  # added to a score, leaves no share to padding
_FIRST_POSITIONS = 1024
# Up to here ONNX Runtime's plain attention is the faster one (0.75 against 1.22 ms for a layer of
# 128 tokens on two Zen 5 cores, 2.22 against 2.52 for 256, 8.75 against 8.26 for 512).
_SHORT = 384


class Qwen3Encoder(Encoder):
    """A Qwen3 embedding model; token embeddings are read from the checkpoint row by row."""

    takes_beginnings = True

    def __init__(self, spec: ModelSpec) -> None:
        self._config = read_config(spec.transformer_folder)
        self._checkpoint = Checkpoint(spec.transformer_folder)
        self._embeddings = self._checkpoint.rows(
            f"{name_prefix(self._checkpoint)}embed_tokens.weight"
        )
        self._lock = threading.Lock()
        self._cos, self._sin = self._rotations(_FIRST_POSITIONS)

    def build(self, graph: "Graph", linear: "Linear") -> None:
        """See `Encoder.build`."""
        from indexer.embedding.onnx.qwen3 import build_qwen3

        build_qwen3(graph, linear, self._checkpoint, self._config)

    def feeds(self, batch: TokenBatch, beginning: Beginning | None = None, kept: int = 0) -> Feeds:
        """See `Encoder.feeds`."""
        ids, lengths = padded(batch)
        count, longest = ids.shape
        past = 0 if beginning is None else len(beginning.ids)
        total = past + longest
        ends = past + lengths - 1
        cos, sin = self._positions(total)
        none = np.zeros(self._past_shape(count, 0), dtype=np.float32)
        hidden = np.arange(total) > ends[:, None]
        return {
            "states": self._embeddings.take(ids.reshape(-1)),
            "shape": np.array([count, longest], dtype=np.int64),
            "ends": ends.astype(np.int32),
            "positions": ends[:, None],
            "offset": np.array([past], dtype=np.int64),
            "total": np.array(total, dtype=np.int32),
            "short": np.array(total <= _SHORT),
            "cos": cos,
            "sin": sin,
            "pooled": np.arange(count, dtype=np.int64) * longest + lengths - 1,
            "mask": np.where(hidden, _HIDDEN, np.float32(0))[:, None, None, :],
            "past_keys": none if beginning is None else beginning.keys,
            "past_values": none if beginning is None else beginning.values,
            "kept": np.array([kept], dtype=np.int64),
        }

    def pool(self, states: Vectors, batch: TokenBatch) -> Vectors:
        """See `Encoder.pool`: the graph gives the last tokens' states already."""
        assert len(states) == len(batch)
        return states

    def _past_shape(self, count: int, tokens: int) -> tuple[int, ...]:
        config = self._config
        return (config.layers, count, config.kv_heads, tokens, config.head_dim)

    def _positions(self, count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Cosines and sines of at least that many positions."""
        with self._lock:
            if count > len(self._cos):
                self._cos, self._sin = self._rotations(1 << (count - 1).bit_length())
            return self._cos, self._sin

    def _rotations(self, count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Rotary positions (Su et al., RoFormer, 2021), shape (count, head_dim / 2) each.

        Angles in float32, as transformers computes them: in float64 the far positions differ.
        """
        size = self._config.head_dim
        exponents = np.arange(0, size, 2, dtype=np.float32) / np.float32(size)
        frequencies = (1.0 / np.power(np.float32(self._config.theta), exponents)).astype(np.float32)
        angles = np.arange(count, dtype=np.float32)[:, None] * frequencies
        return np.cos(angles), np.sin(angles)
