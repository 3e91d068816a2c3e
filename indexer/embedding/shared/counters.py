"""What a queue has done so far."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchRun:
    """One batch that went through the model."""

    texts: int  # different ones
    repeated: int  # texts that were among them already
    tokens: int
    worked_s: float


@dataclass(frozen=True, slots=True)
class Counters:
    """All since the queue began, but what waits, which is as of now."""

    batches: int = 0
    texts: int = 0  # that went through the model
    tokens: int = 0  # of these
    repeated: int = 0  # texts that were in their batch already and cost nothing
    dropped: int = 0  # requests whose client left before all of their work was done
    refused: int = 0  # requests that found the queue full
    failed: int = 0  # requests answered with an error
    busy_s: float = 0.0
    waiting: int = 0  # requests
    waiting_tokens: int = 0
