"""Who is measured by `bench`: the modes of this program, and references beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.embedding.hardware.machine import Hardware
from indexer.embedding.peers.peer import Peer, missing_package
from indexer.modes import Mode, Placement, Precision

_NO_GPU = "no NVIDIA GPU was found"


@dataclass(frozen=True, slots=True)
class Entrant:
    """A mode, run by this program or by a peer."""

    mode: Mode
    peer: Peer | None = None

    @property
    def label(self) -> str:
        """Names the row."""
        return str(self.mode) if self.peer is None else f"{self.peer} {self.mode}"


@dataclass(frozen=True, slots=True)
class NotRun:
    """A mode that this machine, or this version, cannot run."""

    label: str
    reason: str


# The article's three rows, the quantised weights it advises, and what else is offered beside them.
OURS = tuple(
    Entrant(mode)
    for mode in (
        Mode(Placement.GPU, Precision.FP16),
        Mode(Placement.GPU, Precision.BF16),
        Mode(Placement.GPU, Precision.INT8),
        Mode(Placement.GPU, Precision.INT4),
        Mode(Placement.OFFLOAD, Precision.FP16),
        Mode(Placement.OFFLOAD, Precision.BF16),
        Mode(Placement.CPU, Precision.INT8),
        Mode(Placement.CPU, Precision.FP32),
    )
)
# The article's rows as others run them.
REFERENCES = (
    Entrant(Mode(Placement.GPU, Precision.FP16), Peer.TRANSFORMERS),
    Entrant(Mode(Placement.GPU, Precision.FP16), Peer.SENTENCE_TRANSFORMERS),
    Entrant(Mode(Placement.OFFLOAD, Precision.FP16), Peer.ACCELERATE),
    Entrant(Mode(Placement.CPU, Precision.FP32), Peer.TRANSFORMERS),
    Entrant(Mode(Placement.CPU, Precision.FP32), Peer.SENTENCE_TRANSFORMERS),
)


def split(entrants: Sequence[Entrant], hardware: Hardware) -> tuple[list[Entrant], list[NotRun]]:
    """(worth a process, those that lack a GPU or a package), each in order."""
    usable, missing = [], []
    for entrant in entrants:
        reason = _lacking(entrant, hardware)
        if reason is None:
            usable.append(entrant)
        else:
            missing.append(NotRun(entrant.label, reason))
    return usable, missing


def _lacking(entrant: Entrant, hardware: Hardware) -> str | None:
    if entrant.mode.placement in (Placement.GPU, Placement.OFFLOAD) and not hardware.gpus:
        return _NO_GPU
    return None if entrant.peer is None else missing_package(entrant.peer)
