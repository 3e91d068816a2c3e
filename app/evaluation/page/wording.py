"""Numbers and strings of results, as people read them."""

import unicodedata

from app.evaluation.results import Estimate, Measure

NOTHING = "-"
_GREATEST = 1e12  # beyond it nothing that is measured lies


def clean(text: str) -> str:
    """Without characters that cannot be seen: they could hide or reorder what can."""
    return "".join(char if _is_seen(char) else "\ufffd" for char in text)


def _is_seen(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"


def is_number(value: float) -> bool:
    """Whether it can be drawn: a file of results may hold any number."""
    return abs(value) < _GREATEST


def is_drawable(value: float) -> bool:
    """Whether the number has a place on a logarithmic axis."""
    return is_number(value) and value > 1 / _GREATEST


def ends(estimate: Estimate) -> tuple[float, float]:
    """The interval, closed to the value where an end cannot be drawn beside it."""
    fits = is_drawable if estimate.value > 0 else is_number
    low, high = estimate.low, estimate.high
    return low if fits(low) else estimate.value, high if fits(high) else estimate.value


def milliseconds(value: float) -> str:
    """Three digits, which is more than a run repeats."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def rounded(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def mebibytes(size_bytes: float) -> str:
    """A size of memory."""
    return f"{size_bytes / (1 << 20):,.0f} MiB"


def gibibytes(size_bytes: float) -> str:
    """A size of a machine's memory."""
    return f"{size_bytes / (1 << 30):.1f} GiB"


def interval(estimate: Estimate | None) -> str:
    """A number with its interval."""
    if estimate is None:
        return NOTHING
    return f"{rounded(estimate.value)} [{rounded(estimate.low)}, {rounded(estimate.high)}]"


def share(estimate: Estimate) -> str:
    """A number between 0 and 1 with its interval."""
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def probability(p: float) -> str:
    """A p value with its sign: `p = 0.031`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def against_reference(measure: Measure) -> str:
    """Mean, interval, and how it differs from the reference."""
    text = share(measure.mean)
    if measure.difference is None or measure.p is None:
        return text
    return f"{text} {measure.difference:+.3f}, {probability(measure.p)}"
