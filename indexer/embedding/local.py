"""A model in this process: tokenise, batch by length, run, pool, normalise, check."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from indexer.embedding.batching import by_length
from indexer.embedding.embedder import Embedder, OnBatch
from indexer.embedding.pooling import finish, non_finite_rows
from indexer.embedding.runtimes.base import Runtime
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import Tokenizer
from indexer.errors import ModelError
from indexer.modes import Mode
from indexer.types import Kind, Vectors

_PROMPTS = 1000  # remembered; instructions come from users

# Texts sorted by length and batched together: enough for even batches, few enough that tokenising
# the next ones hides behind the computing, which matters on a GPU.
WINDOW = 2048


class LocalEmbedder(Embedder):
    """A model in this process. Threads may share it: one batch at a time enters the runtime."""

    def __init__(
        self, spec: ModelSpec, tokenizer: Tokenizer, runtime: Runtime, dimension: int | None = None
    ) -> None:
        super().__init__(spec, tokenizer, dimension)
        self.runtime = runtime
        self._lock = threading.Lock()
        self._prompts: dict[str, int] = {}  # how often each prompt has come, up to twice

    @property
    def mode(self) -> Mode:
        """See `Embedder.mode`."""
        return self.runtime.mode

    @property
    def engine(self) -> str:
        """See `Embedder.engine`."""
        return type(self.runtime).__name__

    @property
    def batch_tokens(self) -> int:
        """See `Embedder.batch_tokens`."""
        return self.runtime.max_batch_tokens

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind,
        instruction: str | None = None,
        on_batch: OnBatch | None = None,
    ) -> Vectors:
        """See `Embedder.embed`; batches go from the longest texts of a window to the shortest."""
        if len(texts) == 1:
            self._expect(self.tokenizer.prompt(kind, instruction))
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        first = 0
        for ids in self._tokenised(texts, kind, instruction):
            vectors[first : first + len(ids)] = self._embed_window(ids, first, on_batch)
            first += len(ids)
        return vectors

    def embed_ids(self, ids: Sequence[Sequence[int]], on_batch: OnBatch | None = None) -> Vectors:
        """See `Embedder.embed_ids`; the ids go to the model as they are."""
        if self.tokenizer.prompt(Kind.DOCUMENT):
            # A prompt and the text behind it may share a token: only the whole text tells.
            return super().embed_ids(ids, on_batch)
        return self._embed_window([self.tokenizer.framed(item) for item in ids], 0, on_batch)

    def _tokenised(
        self, texts: Sequence[str], kind: Kind, instruction: str | None
    ) -> Iterator[list[list[int]]]:
        """Token ids window by window; while one is embedded, the next is tokenised."""

        def encode(start: int) -> list[list[int]]:
            return self.tokenizer.encode(texts[start : start + WINDOW], kind, instruction)

        if len(texts) <= WINDOW:
            yield encode(0)
            return
        with ThreadPoolExecutor(1, "tokeniser") as ahead:
            coming = ahead.submit(encode, 0)
            for start in range(WINDOW, len(texts), WINDOW):
                ids = coming.result()
                coming = ahead.submit(encode, start)
                yield ids
            yield coming.result()

    def _embed_window(self, ids: list[list[int]], first: int, on_batch: OnBatch | None) -> Vectors:
        """Unit vectors of a window whose first text has place `first` in the caller's list."""
        lengths = [len(tokens) for tokens in ids]
        order = by_length(lengths)
        vectors = np.empty((len(ids), self.dimension), dtype=np.float32)
        start = 0
        while start < len(order):
            # Asked anew for each batch: the runtime lowers its budget when memory runs out.
            ahead = [lengths[row] for row in order[start:]]
            end = start + self.runtime.batch_size(ahead)
            rows = order[start:end]
            places = [first + row for row in rows]
            vectors[rows] = self._embed_batch([ids[row] for row in rows], places)
            if on_batch is not None:
                on_batch(len(rows), sum(lengths[row] for row in rows))
            start = end
        return vectors

    def _expect(self, prompt: str) -> None:
        """Tell the runtime of a prompt that comes again: a single query does not repay it."""
        if not prompt or self._prompts.get(prompt, 0) > 1:
            return
        if len(self._prompts) >= _PROMPTS:
            self._prompts.clear()
        self._prompts[prompt] = self._prompts.get(prompt, 0) + 1
        if self._prompts[prompt] == 2:
            with self._lock:
                self.runtime.expect(self.tokenizer.beginning(prompt))

    def _embed_batch(self, batch: list[list[int]], rows: list[int]) -> Vectors:
        """Unit vectors of one batch; `rows` are its texts' places in the caller's list."""
        with self._lock:
            pooled = self.runtime.embed_tokens(batch)
            broken = non_finite_rows(pooled)
            if len(broken):
                # Half precision overflows on some texts (fp16 beyond 65504): once more in fp32
                # before giving up.
                again = self.runtime.forward_fp32([batch[i] for i in broken])
                if again is not None:
                    pooled[broken] = again
        broken = non_finite_rows(pooled)
        if len(broken):
            index = rows[int(broken[0])]
            raise ModelError(
                f"{self.spec.model} gave NaN or infinity for text {index} "
                f"({len(batch[int(broken[0])])} tokens) in fp32. "
                "The weights are probably damaged: fetch the model again."
            )
        return finish(pooled, self.dimension)

    def close(self) -> None:
        """See `Embedder.close`."""
        with self._lock:
            self.runtime.close()
