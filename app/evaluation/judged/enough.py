"""How far a figure over few queries can be trusted."""

import math

# "At least 25 and 50 is better": Buckley and Voorhees, Evaluating Evaluation Measure Stability,
# SIGIR 2000, pages 33 to 40.
ENOUGH = 50
_Z = 1.959964  # 95 %
_EXAMPLE = 0.9


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share measured on so many queries (Wilson 1927).

    Recall of a query lies between 0 and 1; of all such values those that are only 0 or 1 vary
    most, so the interval is right for queries with one relevant document and too wide for others.
    """
    spread = _Z * _Z / count
    centre = share + spread / 2
    half = _Z * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return (centre - half) / (1 + spread), (centre + half) / (1 + spread)


def too_few(queries: int) -> str | None:
    """A sentence for people when so many queries with a relevant document are not enough."""
    if queries >= ENOUGH:
        return None
    if queries == 0:
        return (
            "No query has a relevant document yet, so nothing can be measured. "
            f"{ENOUGH} queries make a good set."
        )
    low, high = wilson(_EXAMPLE, queries)
    noun = "query" if queries == 1 else "queries"
    return (
        f"Only {queries} {noun} with a relevant document: a measured recall of {_EXAMPLE} may be "
        f"anything from {low:.2f} to {high:.2f}. {ENOUGH} make a good set."
    )
