"""Which references there are, whether they can run here, and how to open one."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from importlib.util import find_spec

from indexer.embedding.spec import ModelSpec
from indexer.errors import PlacementError
from indexer.modes import Placement, Precision
from indexer.types import Vectors

# Documents -> unit vectors: float32, shape (n, hidden_size), input order.
Embed = Callable[[Sequence[str]], Vectors]


class Peer(StrEnum):
    """A way to run a model that is not ours."""

    TRANSFORMERS = "transformers"  # AutoModel on one padded batch
    SENTENCE_TRANSFORMERS = "sentence-transformers"  # SentenceTransformer.encode
    ACCELERATE = "accelerate"  # AutoModel behind cpu_offload


_NEEDS = {
    Peer.SENTENCE_TRANSFORMERS: ("sentence_transformers", "pip install sentence-transformers"),
    Peer.ACCELERATE: ("accelerate", "pip install 'semsearch[offload]'"),
}


def missing_package(peer: Peer) -> str | None:
    """Why a peer cannot run, with the command that helps; None: it is installed."""
    module, command = _NEEDS.get(peer, ("transformers", "pip install transformers"))
    if find_spec(module) is not None:
        return None
    return f"{peer} is not installed: {command}"


def open_peer(
    peer: Peer, spec: ModelSpec, device: str, precision: Precision, threads: int
) -> Embed:
    """The peer with the model loaded.

    Args:
        peer: which.
        spec: the model, with its weights.
        device: where it computes: "cpu", "cuda".
        precision: fp32, bf16 or fp16.
        threads: of torch, as ours has.

    Raises:
        PlacementError: its package is missing.
        ModelError: transformers cannot load the model.
    """
    if (lacking := missing_package(peer)) is not None:
        raise PlacementError(lacking)
    import torch

    torch.set_num_threads(threads)
    if peer is Peer.TRANSFORMERS:
        from indexer.embedding.peers.padded import open_transformers

        return open_transformers(spec, device, precision)
    if peer is Peer.ACCELERATE:
        from indexer.embedding.peers.padded import open_accelerate

        return open_accelerate(spec, device, precision)
    from indexer.embedding.peers.encoded import open_sentence_transformers

    return open_sentence_transformers(spec, device, precision)


def device_of(placement: Placement) -> str:
    """Where a peer computes in a placement."""
    return "cpu" if placement is Placement.CPU else "cuda"
