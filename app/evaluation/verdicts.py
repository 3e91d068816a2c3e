"""Which measured mode to take, and what speaks against each other one, in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.measurement import Measurement
from indexer.embedding.planning.plan import Option, Verdict
from indexer.embedding.planning.reasons import amount
from indexer.modes import QUANTISED, Mode, Precision

# Medians nearer than this are the same speed: a run repeats no better on a shared machine.
SAME_SPEED = 1.05
# Memory is worth a word from here on: less is a library's mood.
_WORTH_SAYING = 0.10
# A reference whose vectors agree less does other work, and its speed says little.
AGREES = 0.999
_EXACTNESS = (Precision.FP32, Precision.FP16, Precision.BF16)
# Whoever asked for such a mode by name may have it; it is not recommended.
_EXCLUDED = frozenset({Verdict.TOO_LARGE, Verdict.NO_HARDWARE, Verdict.UNAVAILABLE})

Planned = Mapping[Mode, Option]  # what the planner says of each mode, with its best engine


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of one row."""

    recommended: bool
    reason: str


def best_of(measured: Sequence[Measurement], planned: Planned) -> Measurement | None:
    """The mode to take; None: none of ours ran.

    The fastest for one text; of those as fast the fastest for four, of those the one with the least
    memory. A quantised mode that was measured has passed its quality check: it does not open else.
    """
    ours = [found for found in measured if found.peer is None]
    left = [found for found in ours if _against_plan(found, planned) is None] or ours
    if not left:
        return None
    least = min(found.one_ms for found in left)
    left = [found for found in left if found.one_ms <= SAME_SPEED * least]
    least = min(found.four_ms for found in left)
    left = [found for found in left if found.four_ms <= SAME_SPEED * least]
    return min(left, key=lambda found: found.peak_ram_bytes + (found.peak_vram_bytes or 0))


def judge(measured: Sequence[Measurement], planned: Planned) -> dict[str, Judgement]:
    """{label: judgement} of all rows."""
    best = best_of(measured, planned)
    agreed = agreement(measured)
    found = {}
    for row in measured:
        if best is None:
            found[row.label] = Judgement(False, "no mode of this program ran beside it")
        elif row is best:
            found[row.label] = Judgement(True, _for(best, measured, planned))
        else:
            reason = _against_plan(row, planned) or compared(row, best)
            found[row.label] = Judgement(False, reason + _difference(row, agreed))
    return found


def _for(best: Measurement, measured: Sequence[Measurement], planned: Planned) -> str:
    """Why the best is."""
    others = [row for row in measured if row.peer is None and row is not best]
    parts = ["the fastest for one text" if others else "the only mode measured"]
    if any(row.one_ms <= SAME_SPEED * best.one_ms for row in others):
        parts = ["none is faster with less memory"]
    if best.mode.precision in QUANTISED:
        parts.append("its quality check passed")
    against = _against_plan(best, planned)
    wanted = [o.mode for o in planned.values() if o.verdict is Verdict.RECOMMENDED]
    if against is not None:
        parts.append(f"though {against}")
    elif wanted == [best.mode]:
        parts.append("the plan says the same")
    elif wanted:
        parts.append(f"the plan expected {wanted[0]}")
    return ", ".join(parts)


def _against_plan(row: Measurement, planned: Planned) -> str | None:
    """Why the planner rules a mode out; None: it does not."""
    option = planned.get(row.mode)
    if row.peer is not None or option is None or option.verdict not in _EXCLUDED:
        return None
    return f"the plan rules it out: {option.reason}"


def compared(row: Measurement, best: Measurement) -> str:
    """A row's speed and memory against the best's."""
    one, four = row.one_ms / best.one_ms, row.four_ms / best.four_ms
    if one > SAME_SPEED and four > SAME_SPEED:
        speed = f"{_times(one)} {best.label} ({four:.1f}x for 4 texts)"
    elif _times(one) == _times(four):
        speed = f"{_times(one)} {best.label}"
    else:
        speed = f"{_times(one)} {best.label} for 1 text, {_times(four)} it for 4"
    parts = [speed, _more(row.peak_ram_bytes, best.peak_ram_bytes, "RAM")]
    parts.append(_more(row.peak_vram_bytes or 0, best.peak_vram_bytes or 0, "VRAM"))
    return ", ".join(part for part in parts if part)


def _times(ratio: float) -> str:
    if ratio > SAME_SPEED:
        return f"{ratio:.1f}x slower than"
    return "as fast as" if ratio * SAME_SPEED >= 1 else f"{1 / ratio:.1f}x faster than"


def _more(mine: int, theirs: int, what: str) -> str:
    if abs(mine - theirs) <= _WORTH_SAYING * theirs:
        return ""
    return f"{amount(abs(mine - theirs))} {'more' if mine > theirs else 'less'} {what}"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near a row's vectors are to those of this program's most exact measured mode."""

    cosine: float  # the least over the texts that were compared
    yardstick: str  # that mode


def agreement(measured: Sequence[Measurement]) -> dict[str, Agreement]:
    """{label: agreement} of all rows but the yardstick."""
    ours = [row for row in measured if row.peer is None]
    if not ours:
        return {}
    exact = min(ours, key=_exactness)
    return {
        row.label: Agreement(_cosine(row.vectors, exact.vectors), exact.label)
        for row in measured
        if row is not exact
    }


def _exactness(row: Measurement) -> int:
    precision = row.mode.precision
    return _EXACTNESS.index(precision) if precision in _EXACTNESS else len(_EXACTNESS)


def _cosine(mine: list[list[float]], theirs: list[list[float]]) -> float:
    """Least cosine of unit vectors that belong together."""
    return float(np.sum(np.asarray(mine) * np.asarray(theirs), axis=1).min())


def _difference(row: Measurement, agreed: Mapping[str, Agreement]) -> str:
    found = agreed.get(row.label)
    if row.peer is None or found is None or found.cosine >= AGREES:
        return ""
    return f"; gives other vectors than {found.yardstick}: cosine {found.cosine:.3f}"
