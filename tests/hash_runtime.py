"""A runtime without a model: what is tested with it needs vectors, not their meaning."""

import hashlib

import numpy as np

from indexer.embedding.runtimes.base import Runtime, TokenBatch
from indexer.modes import Placement, Precision
from indexer.types import Vectors


class HashRuntime(Runtime):
    """Vectors made from a hash of the tokens: deterministic, no model. Counts what it embeds."""

    placement = Placement.CPU
    precision = Precision.FP32

    def __init__(self, hidden_size: int) -> None:
        self.hidden_size = hidden_size
        self.max_batch_tokens = 4096
        self.texts = 0

    def forward(self, batch: TokenBatch) -> Vectors:
        self.texts += len(batch)
        return np.stack([self._vector(list(ids)) for ids in batch])

    def _vector(self, ids: list[int]) -> Vectors:
        seed = int.from_bytes(hashlib.sha256(repr(ids).encode()).digest()[:8], "little")
        drawn = np.random.default_rng(seed).standard_normal(self.hidden_size)
        return drawn.astype(np.float32)
