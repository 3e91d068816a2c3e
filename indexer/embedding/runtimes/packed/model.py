"""The packed Qwen3 forward as a runtime, on a GPU or the CPU, with weights resident or streamed."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from indexer.embedding.runtimes.base import Runtime, TokenBatch
from indexer.embedding.runtimes.packed.attention import Attend, attend_runs
from indexer.embedding.runtimes.packed.batch import PackedBatch, pack
from indexer.embedding.runtimes.packed.budget import packed_batch_size
from indexer.embedding.runtimes.packed.checkpoint import Checkpoint
from indexer.embedding.runtimes.packed.forward import run_forward
from indexer.embedding.runtimes.packed.graphs import Graphs
from indexer.embedding.runtimes.packed.layout import LayerStream
from indexer.embedding.runtimes.packed.token_table import TokenTable
from indexer.embedding.runtimes.packed.vram import lift_limit
from indexer.modes import Mode, Placement, Precision
from indexer.types import Vectors

if TYPE_CHECKING:
    import torch

# Besides torch.OutOfMemoryError: cuBLAS without workspace, pinned memory, torch's CPU allocator.
_NO_MEMORY = re.compile(
    r"out of memory|CUBLAS_STATUS_ALLOC_FAILED|can't allocate memory|not enough memory",
    re.IGNORECASE,
)


class LayerSource(Protocol):
    """Where the layers' weights come from."""

    def stream(self) -> LayerStream:
        """All layers in order, for one pass."""

    def close(self) -> None:
        """Free what it holds."""


class PackedModel(Runtime):
    """Qwen3 over packed tokens. `max_batch_tokens` counts tokens: there is no padding."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        source: LayerSource,
        table: TokenTable,
        *,
        mode: Mode,
        device: str,
        dtype: "torch.dtype",
        attend: Attend,
        max_batch_tokens: int,
        use_graphs: bool = False,
        notes: Sequence[str] = (),
    ) -> None:
        """Put the parts together; `packed.opening` makes them.

        Args:
            checkpoint: the weights on disk, for the fp32 repetition.
            source: the layers on their way to `device`.
            table: the embeddings.
            mode: what this is, in the words of users.
            device: where it computes.
            dtype: of states and weights while computing.
            attend: the attention that works there.
            max_batch_tokens: tokens of one batch.
            use_graphs: record small batches as CUDA graphs.
            notes: what a user should know about how it runs here.
        """
        self.placement, self.precision = mode.placement, mode.precision
        self.hidden_size = checkpoint.config.hidden
        self.max_batch_tokens = max_batch_tokens
        self.notes = tuple(notes)
        self._checkpoint = checkpoint
        self._source = source
        self._table = table
        self._device = device
        self._dtype = dtype
        self._attend = attend
        self._final_norm = checkpoint.final_norm().to(device, dtype)
        self._graphs = Graphs(self._compute_here, device) if use_graphs else None

    def batch_size(self, lengths: Sequence[int]) -> int:
        """See `Runtime.batch_size`; tokens are summed, not padded."""
        return packed_batch_size(lengths, self.max_batch_tokens)

    def batch_tokens(self, batch: TokenBatch) -> int:
        """See `Runtime.batch_tokens`."""
        return sum(len(ids) for ids in batch)

    def forward(self, batch: TokenBatch) -> Vectors:
        """See `Runtime.forward`."""
        import torch

        with torch.no_grad():
            host = pack(batch)
            self._table.check(host)
            pooled = self._graphs.run(batch) if self._graphs else None
            if pooled is None:
                pooled = self._compute(host, host.to(self._device))
            vectors: Vectors = pooled.cpu().numpy()
        return vectors

    def forward_fp32(self, batch: TokenBatch) -> Vectors | None:
        """See `Runtime.forward_fp32`; on the CPU, layer by layer from the mapped file."""
        import torch

        if self.precision is Precision.FP32:
            return None
        checkpoint = self._checkpoint
        with torch.no_grad():
            packed = pack(batch)
            states = checkpoint.embedding().index_select(0, packed.ids).float()
            pooled = run_forward(
                packed,
                states,
                checkpoint.layers(torch.float32),
                checkpoint.final_norm().float(),
                checkpoint.config,
                attend_runs,
            )
            vectors: Vectors = pooled.numpy()
        return vectors

    def is_out_of_memory(self, error: BaseException) -> bool:
        """See `Runtime.is_out_of_memory`."""
        import torch

        if isinstance(error, torch.OutOfMemoryError | MemoryError):
            return True
        return isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)) is not None

    def release_memory(self) -> None:
        """See `Runtime.release_memory`."""
        if self._device != "cpu":
            import torch

            torch.cuda.empty_cache()

    def close(self) -> None:
        """See `Runtime.close`."""
        if self._graphs is not None:
            self._graphs.close()
        self._source.close()
        self._table.close()
        if self.placement is Placement.OFFLOAD and self._device != "cpu":
            lift_limit(self._device)
        self.release_memory()

    def _compute_here(self, here: PackedBatch) -> "torch.Tensor":
        """Vectors of a batch that exists on the device only."""
        return self._compute(here, here)

    def _compute(self, host: PackedBatch, here: PackedBatch) -> "torch.Tensor":
        return run_forward(
            here,
            self._table.states(host, here),
            self._source.stream(),
            self._final_norm,
            self._checkpoint.config,
            self._attend,
        )
