"""Small batches as recorded CUDA graphs: one launch instead of four hundred.

A query of a few tokens keeps a large GPU busy for less time than launching its kernels takes. A
graph is recorded for a fixed number of tokens and texts, so a small batch is filled up with dummy
texts; packed attention keeps them apart from the real ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from indexer.embedding.runtimes.base import TokenBatch
from indexer.embedding.runtimes.packed.batch import PackedBatch, pack

if TYPE_CHECKING:
    import torch

SLOTS = 5  # texts in a graph: up to four real ones, as in the article's batch of 4, and a dummy
# Tokens in a graph. Not powers of two, so that 1 x 128 and 4 x 128 fit with their dummies.
CAPACITIES = (32, 64, 144, 272, 528)
_LEAST_COSINE = 0.999  # of the graph's vectors with those computed without it, in half precision

Compute = Callable[[PackedBatch], "torch.Tensor"]  # on the device -> vectors (texts, hidden)


def capacity_for(lengths: Sequence[int]) -> int | None:
    """The smallest graph that takes these texts and their dummies; None if none does."""
    dummies = SLOTS - len(lengths)
    if dummies < 1:
        return None
    needed = sum(lengths) + dummies  # a dummy has a token at least: no text is empty
    return next((capacity for capacity in CAPACITIES if capacity >= needed), None)


def filled_up(batch: TokenBatch, capacity: int) -> list[Sequence[int]]:
    """`SLOTS` texts of `capacity` tokens in all: the batch's, then dummies."""
    dummies = SLOTS - len(batch)
    rest = capacity - sum(len(ids) for ids in batch) - (dummies - 1)
    return [*batch, *([[0]] * (dummies - 1)), [0] * rest]


@dataclass(frozen=True, slots=True)
class _Recorded:
    graph: Any
    given: PackedBatch  # the buffers it reads
    found: "torch.Tensor"  # the buffer it writes


class Graphs:
    """Recorded passes of one model on one CUDA device, each made when first wanted."""

    def __init__(self, compute: Compute, device: str) -> None:
        self._compute = compute
        self._device = device
        self._recorded: dict[int, _Recorded] = {}
        self._pool: Any = None  # memory shared by all graphs: they never run at the same time
        self._usable = True

    def run(self, batch: TokenBatch) -> "torch.Tensor | None":
        """Vectors of a small batch; None if it is not small, or graphs do not work here."""
        capacity = capacity_for([len(ids) for ids in batch])
        if capacity is None or not self._usable:
            return None
        padded = pack(filled_up(batch, capacity))
        if capacity not in self._recorded and not self._record(capacity, padded):
            return None
        recorded = self._recorded[capacity]
        recorded.given.flat.copy_(padded.flat.pin_memory(), non_blocking=True)
        recorded.graph.replay()
        # A copy: the next replay writes into the same buffer.
        return recorded.found[: len(batch)].clone()

    def close(self) -> None:
        """Release all graphs and their memory."""
        self._recorded.clear()
        self._pool = None

    def _record(self, capacity: int, padded: PackedBatch) -> bool:
        """Record the pass and prove it on this batch; False: go on without."""
        import torch

        given = PackedBatch(padded.flat.to(self._device), (capacity,) * SLOTS)
        try:
            expected = self._compute(given)  # warm: libraries allocate before the recording
            graph = torch.cuda.CUDAGraph()
            if self._pool is None:
                self._pool = torch.cuda.graph_pool_handle()
            torch.cuda.synchronize(self._device)
            # thread_local: other threads may use the GPU meanwhile.
            recording = torch.cuda.graph(
                graph,
                pool=self._pool,
                # Its own: torch's default stream for recording belongs to the first GPU used.
                stream=torch.cuda.Stream(self._device),  # type: ignore[no-untyped-call]
                capture_error_mode="thread_local",
            )
            with torch.cuda.device(self._device), recording:
                found = self._compute(given)
            graph.replay()
        except RuntimeError:  # out of memory too: the pass without a graph needs less
            self._usable = False
            return False
        if not bool(expected.isfinite().all()):
            return False  # proves nothing; the caller repeats such texts in fp32
        cosines = torch.nn.functional.cosine_similarity(found, expected)
        self._usable = bool(cosines.min() >= _LEAST_COSINE)
        if self._usable:
            self._recorded[capacity] = _Recorded(graph, given, found)
        return self._usable
