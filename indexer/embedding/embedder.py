"""Texts -> unit vectors: tokenise, batch by length, run, pool, normalise, check."""

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import numpy as np

from indexer.embedding.batching import by_length, next_batch
from indexer.embedding.pooling import finish, non_finite_rows
from indexer.embedding.runtimes.base import Runtime
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import Tokenizer, load_tokenizer
from indexer.errors import ModelError, PlacementError
from indexer.types import Contract, Kind, Placement, Precision, Vectors

OnBatch = Callable[[int, int], None]  # (texts done, tokens done) of one batch


class Embedder:
    """A model ready to embed. Threads may share it: one batch at a time enters the runtime."""

    def __init__(
        self, spec: ModelSpec, tokenizer: Tokenizer, runtime: Runtime, dimension: int | None = None
    ) -> None:
        self.spec = spec
        self.tokenizer = tokenizer
        self.runtime = runtime
        self.dimension = spec.check_dimension(dimension)
        self._lock = threading.Lock()

    def contract(self, chunker: str) -> Contract:
        """The contract of this embedder's vectors."""
        return self.spec.contract(chunker, self.dimension)

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind,
        instruction: str | None = None,
        on_batch: OnBatch | None = None,
    ) -> Vectors:
        """Vectors of the texts.

        Args:
            texts: any strings; one over the model's limit is cut, lone surrogates become U+FFFD.
            kind: queries get the model's query prompt, documents its document prompt.
            instruction: the task to put into the query prompt instead of the model's own.
            on_batch: called after each batch with its number of texts and of tokens.

        Returns:
            float32, shape (n, dimension), unit length, finite, in input order. A text without a
            single token, which
            only tokenizers without special tokens give, is a zero vector, as in
            sentence-transformers.

        Raises:
            ModelError: a vector is not finite, even in fp32.
            PlacementError: a single text does not fit in memory.
        """
        ids = self.tokenizer.encode(texts, kind, instruction)
        lengths = [len(tokens) for tokens in ids]
        order = by_length(lengths)
        vectors = np.empty((len(ids), self.dimension), dtype=np.float32)
        start = 0
        while start < len(order):
            # Asked anew for each batch: the runtime lowers its budget when memory runs out.
            end = next_batch(order, lengths, start, self.runtime.max_batch_tokens)
            rows = order[start:end]
            vectors[rows] = self._embed_batch([ids[row] for row in rows], rows)
            if on_batch is not None:
                on_batch(len(rows), sum(lengths[row] for row in rows))
            start = end
        return vectors

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
        """Free the model."""
        with self._lock:
            self.runtime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_embedder(
    spec: ModelSpec,
    placement: Placement | None = None,
    precision: Precision = Precision.FP32,
    *,
    dimension: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    max_batch_tokens: int | None = None,
) -> Embedder:
    """Load a model where it should run.

    Args:
        spec: the model.
        placement: `cpu` or `gpu`; None takes the GPU where there is one.
        precision: fp32, or on a GPU also bf16 and fp16.
        dimension: values kept of each vector (MRL); None for all.
        device: a certain GPU, e.g. "cuda:1".
        threads: CPU threads of torch, for the whole process; None leaves torch's default.
        max_batch_tokens: padded tokens in one batch; None for the runtime's default.

    Raises:
        PlacementError: this machine or this version cannot run that mode.
        ModelError: the model cannot be loaded.
        UsageError: the model cannot give that dimension.
    """
    spec.check_dimension(dimension)
    tokenizer = load_tokenizer(spec)
    target = _device(placement, precision, device)
    import torch

    from indexer.embedding.runtimes.whole import WholeModel

    if threads is not None:
        torch.set_num_threads(threads)
    runtime = WholeModel(spec, target, precision, max_batch_tokens)
    return Embedder(spec, tokenizer, runtime, dimension)


def _device(placement: Placement | None, precision: Precision, device: str | None) -> str:
    """The torch device of a mode this version runs."""
    import torch

    if placement in (Placement.OFFLOAD, Placement.REMOTE) or precision in (
        Precision.INT8,
        Precision.INT4,
    ):
        raise PlacementError(
            f"Mode {placement or 'auto'}/{precision} is not available in this version. "
            "Use placement cpu or gpu with precision fp32, or bf16 and fp16 on a GPU."
        )
    has_gpu = torch.cuda.is_available()
    if placement is None:
        placement = Placement.GPU if has_gpu else Placement.CPU
    if placement is Placement.GPU and not has_gpu:
        raise PlacementError(
            f"Placement gpu: torch {torch.__version__} sees no CUDA device. Use placement cpu, or "
            "install the NVIDIA "
            "driver and a CUDA build of torch (https://pytorch.org/get-started)."
        )
    if placement is Placement.CPU:
        if precision is not Precision.FP32:
            raise PlacementError(
                f"Mode cpu/{precision}: on the CPU the model runs in fp32 (half precision is "
                "slower there). Use fp32."
            )
        return "cpu"
    return device or "cuda"
