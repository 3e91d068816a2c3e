"""Every mode of this machine in processes of its own, in rounds in which all take turns."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from app.evaluation.apart import Reply, ask_apart
from app.evaluation.entrant import Entrant, NotRun
from app.evaluation.measurement import Measurement, Turn
from app.evaluation.rounds import Round

_CHILD = "app.evaluation.child"
_ORDER_SEED = 7
OnStep = Callable[[str, str], None]  # (who, what)
Outcome = Measurement | NotRun


def bench(
    entrants: Sequence[Entrant],
    flags: Mapping[str, Any],
    rounds: Sequence[Round],
    on_step: OnStep,
) -> list[Outcome]:
    """What each entrant gave, in order.

    Each is opened once for what only the first start on a machine needs. Then come the rounds: in
    each, every one is opened anew, as memory may not hold two, in an order drawn for the round.

    Args:
        entrants: to measure.
        flags: settings given on the command line, without placement and precision; the children
            read the environment and the config file as this process did.
        rounds: the work.
        on_step: told what is being done.
    """
    race = _Race(flags, on_step)
    for entrant in entrants:
        race.prepare(entrant)
    draw = np.random.default_rng(_ORDER_SEED)
    for number, work in enumerate(rounds, start=1):
        for index in draw.permutation(len(entrants)):
            race.run(entrants[index], work, f"round {number} of {len(rounds)}")
    return [race.outcome(entrant, rounds[0].tokens) for entrant in entrants]


class _Race:
    """What is known so far; an entrant that fails once is out."""

    def __init__(self, flags: Mapping[str, Any], on_step: OnStep) -> None:
        self._flags = {name: str(value) for name, value in flags.items() if value is not None}
        self._on_step = on_step
        self._first_load_s: dict[Entrant, float] = {}
        self._turns: dict[Entrant, list[Turn]] = defaultdict(list)
        self._failures: dict[Entrant, str] = {}

    def prepare(self, entrant: Entrant) -> None:
        """The first start."""
        reply = self._ask(entrant, None, "first start")
        if reply.failure:
            self._failures[entrant] = reply.failure
        else:
            self._first_load_s[entrant] = reply.values["load_s"]

    def run(self, entrant: Entrant, work: Round, said: str) -> None:
        """A round, if the entrant is still in."""
        if entrant in self._failures:
            return
        reply = self._ask(entrant, work, said)
        if reply.failure:
            self._failures[entrant] = f"{said}: {reply.failure}"
            return
        turn = Turn.from_dict(reply.values)
        self._turns[entrant].append(_with_peaks(turn, reply))

    def outcome(self, entrant: Entrant, tokens: int) -> Outcome:
        """What all rounds came to."""
        if entrant in self._failures:
            return NotRun(entrant.label, self._failures[entrant])
        turns = self._turns[entrant]
        vrams = [turn.peak_vram_bytes for turn in turns if turn.peak_vram_bytes is not None]
        return Measurement(
            mode=entrant.mode,
            engine=turns[0].engine,
            tokens=tokens,
            one_text_ms=tuple(turn.cells_ms[0] for turn in turns),
            four_texts_ms=tuple(turn.cells_ms[1] for turn in turns),
            loads_s=tuple(turn.load_s for turn in turns),
            first_load_s=self._first_load_s[entrant],
            peak_ram_bytes=max(turn.peak_ram_bytes for turn in turns),
            peak_vram_bytes=max(vrams, default=None),
            peer=entrant.peer,
            vectors=turns[0].vectors,
        )

    def _ask(self, entrant: Entrant, work: Round | None, said: str) -> Reply:
        job = {
            "flags": self._flags,
            "mode": str(entrant.mode),
            "peer": entrant.peer,
            "work": work and work.to_dict(),
        }
        return ask_apart(_CHILD, job, lambda step: self._on_step(entrant.label, f"{said}, {step}"))


def _with_peaks(turn: Turn, reply: Reply) -> Turn:
    """The greater of what the process says of itself and what was seen of it with its children."""
    vrams = [b for b in (turn.peak_vram_bytes, reply.peak_vram_bytes) if b is not None]
    return replace(
        turn,
        peak_ram_bytes=max(turn.peak_ram_bytes, reply.peak_ram_bytes),
        peak_vram_bytes=max(vrams, default=None),
    )
