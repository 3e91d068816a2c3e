"""An embedder that waits at a gate and tells what it was asked; vectors are hashes of tokens."""

import hashlib
import threading
from collections.abc import Sequence

import numpy as np

from indexer.embedding.embedder import Embedder, OnBatch
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.errors import ModelError
from indexer.modes import Mode, Placement, Precision
from indexer.types import Kind, Vectors

POISON = "poison"


class GatedEmbedder(Embedder):
    """While `gate` is not set, calls wait inside. `calls` holds the texts of each call."""

    def __init__(
        self, spec: ModelSpec, batch_tokens: int = 64, concurrency: int = 1, *, is_open: bool = True
    ) -> None:
        super().__init__(spec, load_tokenizer(spec, in_parallel=False))
        self._batch_tokens, self._concurrency = batch_tokens, concurrency
        self.gate = threading.Event()
        if is_open:
            self.gate.set()
        self.calls: list[tuple[str, ...]] = []
        self.instructions: list[str | None] = []
        self.entered = threading.Semaphore(0)  # once for each call that has come in
        self._passes = threading.Semaphore(0)
        self.is_closed = False
        self.blames_texts = True

    @property
    def mode(self) -> Mode:
        return Mode(Placement.CPU, Precision.FP32)

    @property
    def batch_tokens(self) -> int:
        return self._batch_tokens

    @property
    def concurrency(self) -> int:
        return self._concurrency

    def may_be_the_text(self, error: Exception) -> bool:
        return self.blames_texts

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind,
        instruction: str | None = None,
        on_batch: OnBatch | None = None,
    ) -> Vectors:
        ids = self.tokenizer.encode(texts, kind, instruction)
        return self._answer(tuple(texts), ids, instruction)

    def embed_ids(self, ids: Sequence[Sequence[int]], on_batch: OnBatch | None = None) -> Vectors:
        texts = tuple(self.tokenizer.decode(item) for item in ids)
        return self._answer(texts, [self.tokenizer.framed(item) for item in ids], None)

    def _answer(
        self, texts: tuple[str, ...], ids: list[list[int]], instruction: str | None
    ) -> Vectors:
        self.calls.append(texts)
        self.instructions.append(instruction)
        self.entered.release()
        self._pass()
        if POISON in texts:
            raise ModelError(f"NaN for {texts.index(POISON)}")
        return np.stack([self._vector(item) for item in ids])

    def expected(self, texts: Sequence[str], kind: Kind, instruction: str | None = None) -> Vectors:
        """What `embed` gives, at once and untold."""
        return np.stack([self._vector(i) for i in self.tokenizer.encode(texts, kind, instruction)])

    def let_one_through(self) -> None:
        """End one call that waits, and see the next come in."""
        self._passes.release()
        assert self.entered.acquire(timeout=30)

    def _pass(self) -> None:
        while not self.gate.is_set():
            if self._passes.acquire(timeout=0.005):
                return

    def _vector(self, ids: list[int]) -> Vectors:
        seed = int.from_bytes(hashlib.sha256(repr(ids).encode()).digest()[:8], "little")
        drawn = np.random.default_rng(seed).standard_normal(self.dimension).astype(np.float32)
        unit: Vectors = drawn / np.linalg.norm(drawn)
        return unit

    def close(self) -> None:
        self.is_closed = True
