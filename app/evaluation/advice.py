"""What to do on this machine, in one sentence: the article's rule, and what was measured."""

from collections.abc import Sequence

from app.evaluation.measurement import Measurement
from app.evaluation.verdicts import SAME_SPEED
from indexer.embedding.planning.plan import SmallerModel
from indexer.embedding.planning.reasons import ARTICLE_DIRECT, ARTICLE_QUANTISED, amount
from indexer.modes import QUANTISED, Placement

SLOW_MS = 200.0  # for one text: an answer is then felt to be waited for


def advice(
    best: Measurement,
    measured: Sequence[Measurement],
    vram_bytes: int,
    smaller: Sequence[SmallerModel],
) -> str:
    """The closing sentence.

    Args:
        best: the recommended row.
        measured: all rows.
        vram_bytes: free on the roomiest GPU; 0: there is none.
        smaller: models below this one's size, best first, each in its best mode.
    """
    ours = [row for row in measured if row.peer is None]
    if _follows(best, vram_bytes):
        stand = "and so does the measurement: take"
    elif any(_follows(row, vram_bytes) for row in ours):
        stand = "but the measurement is for another: take"
    else:
        stand = "which was not measured; of what was, take"
    return (
        f"{_rule(vram_bytes)}, {stand} {best.label}, {milliseconds(best.one_ms)} for one text "
        f"(p99 {milliseconds(best.one_text.p99.value)}){_lead(best, ours)}"
        f"{_smaller(best, vram_bytes, smaller)}."
    )


def _rule(vram_bytes: int) -> str:
    """The article's advice for a machine."""
    here = f"With {amount(vram_bytes)} of free VRAM" if vram_bytes else "Without a GPU"
    what = "int8 on the CPU or a smaller model"
    if vram_bytes >= ARTICLE_DIRECT:
        what = "the GPU directly"
    elif vram_bytes >= ARTICLE_QUANTISED:
        what = "quantised weights on the GPU"
    return f"{here} the article advises {what}"


def _follows(row: Measurement, vram_bytes: int) -> bool:
    """Whether a row is what the article advises."""
    quantised = row.mode.precision in QUANTISED
    if vram_bytes < ARTICLE_QUANTISED:
        return row.mode.placement is Placement.CPU and quantised
    direct = vram_bytes >= ARTICLE_DIRECT
    return row.mode.placement is Placement.GPU and (direct or quantised)


def _lead(best: Measurement, ours: Sequence[Measurement]) -> str:
    """How far ahead of the next."""
    others = [row for row in ours if row is not best]
    if not others:
        return ""
    second = min(others, key=lambda row: row.one_ms)
    ratio = second.one_ms / best.one_ms
    if ratio <= SAME_SPEED:
        return f", no slower than {second.label}"
    return f", {ratio:.1f}x faster than {second.label}"


def _smaller(best: Measurement, vram_bytes: int, smaller: Sequence[SmallerModel]) -> str:
    """A faster model for machines without a GPU on which the best mode is slow."""
    if vram_bytes >= ARTICLE_QUANTISED or best.one_ms <= SLOW_MS:
        return ""
    for model in smaller:
        speed = model.prediction.speed
        if speed is not None and speed.passage_ms < SLOW_MS:
            return (
                f"; a smaller model would be faster, {model.name} at a predicted "
                f"{milliseconds(speed.passage_ms)}"
            )
    return ""


def milliseconds(value: float) -> str:
    """A time for people: three digits are all that a run repeats."""
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"
