"""Where the time of one request goes: filled while it is answered, shown with the answer."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Parts of an answer, in the order in which they come."""

    TOKENISE = "tokenise"
    QUEUE = "queue"  # waiting for the model
    EMBED = "embed"
    LEXICAL = "lexical"
    DENSE = "dense"
    RERANK = "rerank"
    FETCH = "fetch"  # hits read from the catalog


@dataclass(frozen=True, slots=True)
class Spent:
    """One stretch of time. `started` counts as `time.perf_counter` does."""

    stage: Stage
    started: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Timing:
    """What a request spent where, by which model and mode; empty strings where none was used."""

    spent: tuple[Spent, ...]
    model: str
    mode: str

    @property
    def seconds(self) -> dict[Stage, float]:
        """Seconds of each stage that there was, in order of first use."""
        total: dict[Stage, float] = {}
        for part in self.spent:
            total[part.stage] = total.get(part.stage, 0.0) + part.seconds
        return total

    @property
    def milliseconds(self) -> dict[str, float]:
        """The same for an answer: milliseconds, to the microsecond."""
        return {str(stage): round(s * 1000, 3) for stage, s in self.seconds.items()}


class Stages:
    """The clock of one request.

        with stages.time(Stage.LEXICAL):
            ...
        stages.add(Stage.QUEUE, waited_s)

    One request's parts may run on several threads.
    """

    def __init__(self) -> None:
        self._spent: list[Spent] = []
        self.model = ""  # both are set by the search
        self.mode = ""

    @contextmanager
    def time(self, stage: Stage) -> Iterator[None]:
        """Count what the block takes, also if it fails."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._spent.append(Spent(stage, started, time.perf_counter() - started))

    def add(self, stage: Stage, seconds: float) -> None:
        """Count time that was measured elsewhere and has just ended."""
        self._spent.append(Spent(stage, time.perf_counter() - seconds, seconds))

    def result(self) -> Timing:
        """What was counted so far."""
        return Timing(tuple(self._spent), self.model, self.mode)
