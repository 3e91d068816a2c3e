"""Grapheme cluster boundaries near one position, without walking the whole text."""

import regex

_CLUSTER = regex.compile(r"\X")
# Between two characters of these classes there is always a boundary (UAX #29 rules GB4, GB5,
# GB999): none of them joins to the left or to the right. CR is left out because of CR LF.
_SAFE_PAIR = regex.compile(
    r"[\p{GCB=Other}\p{GCB=Control}\p{GCB=LF}][\p{GCB=Other}\p{GCB=Control}\p{GCB=LF}]"
)


def is_boundary(text: str, position: int, known: int) -> bool:
    """True when no grapheme of `text` spans `position`; `known` is a boundary at or before it."""
    return floor(text, position, known) == position


def floor(text: str, position: int, known: int) -> int:
    """The last grapheme boundary at or before `position`; `known` is a boundary at or before it."""
    if position >= len(text):
        return len(text)
    start = position
    while start > known and not _SAFE_PAIR.match(text, start - 1):
        start -= 1
    if start == position:
        return position
    for cluster in _CLUSTER.finditer(text, start):
        if cluster.end() > position:
            return int(cluster.start())
        if cluster.end() == position:
            break
    return position


def following(text: str, position: int) -> int:
    """The end of the grapheme that starts at `position`, itself a boundary."""
    cluster = _CLUSTER.match(text, position)
    return int(cluster.end()) if cluster else len(text)
