"""What the planner answers: each mode with predicted memory and speed, a verdict and its reason."""

from dataclasses import dataclass
from enum import StrEnum

from indexer.embedding.hardware.machine import Hardware
from indexer.embedding.planning.candidates import Candidate
from indexer.embedding.planning.size import ModelSize
from indexer.modes import Mode


class Latency(StrEnum):
    """How a search feels: predicted time of a 24-token query."""

    INSTANT = "instant"  # below 50 ms
    FAST = "fast"  # below 200 ms
    USABLE = "usable"  # below 1 s
    SLOW = "slow"

    @classmethod
    def of(cls, milliseconds: float) -> "Latency":
        """The class of a predicted time."""
        if milliseconds < 50:
            return cls.INSTANT
        if milliseconds < 200:
            return cls.FAST
        return cls.USABLE if milliseconds < 1000 else cls.SLOW


class Verdict(StrEnum):
    """What the planner thinks of a mode, from best to worst."""

    RECOMMENDED = "recommended"
    FITS = "fits"
    UNCHECKED = "unchecked"  # fits, but taken only when asked for
    TOO_LARGE = "too large"
    NO_HARDWARE = "no hardware"
    NO_ENDPOINT = "no endpoint"
    NOT_WISHED = "not asked for"
    UNAVAILABLE = "not available"  # for this model


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Predicted memory in bytes, in RAM or VRAM."""

    base: int = 0  # program and libraries
    weights: int = 0  # with tables
    activations: int = 0  # of one batch
    workspace: int = 0  # buffers of libraries, holes in the heap
    loading: int = 0  # beyond all this while the weights are read

    @property
    def peak(self) -> int:
        """The most that is held at once."""
        return self.base + self.weights + max(self.activations + self.workspace, self.loading)


@dataclass(frozen=True, slots=True)
class Speed:
    """Predicted speed."""

    query_ms: float  # one query of 24 tokens
    passage_ms: float  # one text of 128 tokens
    tokens_per_s: float  # indexing

    @property
    def latency(self) -> Latency:
        """How a search feels."""
        return Latency.of(self.query_ms)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predicted cost of one mode."""

    ram: MemoryNeed
    vram: MemoryNeed  # what torch reserves; `vram.base`, CUDA's own, counts on the card only
    batch_tokens: int  # in one forward pass
    resident_layers: int | None = None  # offload: kept on the GPU
    disk_bytes: int = 0  # offload: weights read from disk for every batch
    speed: Speed | None = None  # None: there is no such hardware to tell it from


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the plan."""

    candidate: Candidate
    verdict: Verdict
    reason: str
    prediction: Prediction

    @property
    def mode(self) -> Mode:
        """Where and in which precision."""
        return self.candidate.mode


@dataclass(frozen=True, slots=True)
class SmallerModel:
    """A model for machines on which the wanted one is too large or too slow."""

    name: str
    candidate: Candidate
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class Plan:
    """The planner's answer. `options` stand from best to worst, the recommended one first."""

    size: ModelSize
    hardware: Hardware
    options: tuple[Option, ...]
    threads: int
    device: str | None = None  # of the recommended option, e.g. "cuda:1"
    smaller: tuple[SmallerModel, ...] = ()

    @property
    def recommended(self) -> Option | None:
        """The mode to take; None: none is left."""
        first = self.options[0] if self.options else None
        return first if first and first.verdict is Verdict.RECOMMENDED else None
