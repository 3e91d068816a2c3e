"""How fast one loaded model embeds in a round, and what all rounds of a mode came to."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from app.evaluation.entrant import Entrant
from app.evaluation.results import Times
from app.evaluation.rounds import BATCHES, WARMUP, Calls, Round
from app.evaluation.statistics import times_of
from indexer.embedding.footprint import peak_rss_bytes, peak_vram_bytes
from indexer.embedding.peers.peer import Peer
from indexer.modes import Mode
from indexer.types import Vectors

Embed = Callable[[Sequence[str]], Vectors]
OnStep = Callable[[str], None]
Clock = Callable[[], float]
Blocks = tuple[tuple[float, ...], ...]  # milliseconds of each call, by round


@dataclass(frozen=True, slots=True)
class Turn:
    """One mode in one round, in a process that did nothing else."""

    engine: str  # what ran it
    load_s: float
    cells_ms: tuple[tuple[float, ...], ...]  # of every timed call, in the order of BATCHES
    vectors: list[list[float]]  # of the texts to check
    peak_ram_bytes: int
    peak_vram_bytes: int | None  # None: no GPU memory used

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: the inverse of `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Turn":
        """What `to_dict` gave, after JSON."""
        return cls(**{**values, "cells_ms": tuple(tuple(cell) for cell in values["cells_ms"])})


def take_turn(
    embed: Embed,
    engine: str,
    load_s: float,
    work: Round,
    on_step: OnStep,
    clock: Clock = time.perf_counter,
) -> Turn:
    """Time a model that was just loaded.

    Args:
        embed: gives vectors of texts.
        engine: names it.
        load_s: how long loading took.
        work: texts and bounds.
        on_step: told what comes next.
        clock: seconds.
    """
    cells = []
    for batch, calls in zip(BATCHES, work.cells, strict=True):
        size = "1 text" if batch == 1 else f"{batch} texts"
        cells.append(_time_cell(embed, calls, work, size, on_step, clock))
    return Turn(
        engine=engine,
        load_s=load_s,
        cells_ms=tuple(cells),
        vectors=embed(work.check).tolist(),
        peak_ram_bytes=peak_rss_bytes(),
        peak_vram_bytes=peak_vram_bytes(),
    )


def _time_cell(
    embed: Embed, calls: Calls, work: Round, size: str, on_step: OnStep, clock: Clock
) -> tuple[float, ...]:
    """Milliseconds of each call after the warm-up, until time is over."""
    on_step(f"{size}, warm-up")
    for texts in calls[:WARMUP]:
        embed(texts)
    found: list[float] = []
    for texts in calls[WARMUP:]:
        if len(found) >= work.least and sum(found) >= 1000 * work.seconds:
            break
        on_step(f"{size}, run {len(found) + 1} of {len(calls) - WARMUP}")
        started = clock()
        embed(texts)
        found.append(1000 * (clock() - started))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One mode on this machine."""

    mode: Mode
    engine: str  # what ran it
    tokens: int  # of each text
    one_text_ms: Blocks
    four_texts_ms: Blocks
    loads_s: tuple[float, ...]  # of each round's start
    first_load_s: float  # of a start before, with what is made and tested only once
    peak_ram_bytes: int  # of the process with all that it started
    peak_vram_bytes: int | None = None  # None: no GPU memory used
    peer: Peer | None = None  # what ran the model instead of this program
    vectors: list[list[float]] = field(default_factory=list, compare=False)  # of texts to check

    @property
    def label(self) -> str:
        """Names the row."""
        return Entrant(self.mode, self.peer).label

    @property
    def one_text(self) -> Times:
        """Of one text in a call."""
        return times_of(self.one_text_ms)

    @property
    def four_texts(self) -> Times:
        """Of four texts in one call."""
        return times_of(self.four_texts_ms)

    @property
    def one_ms(self) -> float:
        """Median of one text."""
        return median(ms for block in self.one_text_ms for ms in block)

    @property
    def four_ms(self) -> float:
        """Median of four texts in one call."""
        return median(ms for block in self.four_texts_ms for ms in block)

    @property
    def load_s(self) -> float:
        """Median of the starts."""
        return median(self.loads_s)

    @property
    def tokens_per_s(self) -> float:
        """Of calls with four texts, by their median."""
        return 4 * self.tokens / self.four_ms * 1000
