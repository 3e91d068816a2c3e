"""The words embedded before a passage: title and heading path, within a quarter of the budget."""

from collections.abc import Iterable, Sequence

from indexer.documents import graphemes
from indexer.types import TokenCounter

_JOINT = " > "
_CUT = "…"

Parts = tuple[str, ...]


def parts_of(title: str, path: Sequence[str], leading: Sequence[str]) -> Parts:
    """Title and headings that a passage does not say itself.

    Args:
        title: of the document.
        path: heading path, outermost first.
        leading: names of the headings that the passage starts with.
    """
    parts = [" ".join(part.split()) for part in path]
    title = " ".join(title.split())
    if title and title not in parts[:1]:
        parts.insert(0, title)
    said = {" ".join(name.split()) for name in leading}
    while parts and parts[-1] in said:
        parts.pop()
    return tuple(part for part in parts if part)


def joined(parts: Parts) -> str:
    """The prefix itself: one line, or nothing."""
    return _JOINT.join(parts) + "\n" if parts else ""


def shorten(
    wanted: Iterable[Parts], counter: TokenCounter, most: int, overhead: int
) -> dict[Parts, tuple[str, int]]:
    """For each prefix its text, at most `most` tokens (outer parts go first), and its tokens."""
    pending = {parts: joined(parts) for parts in wanted}
    counts = counter.count(list(pending.values()))
    done: dict[Parts, tuple[str, int]] = {}
    for (parts, text), count in zip(pending.items(), counts, strict=True):
        n_tokens = count - overhead
        if not text:
            done[parts] = ("", 0)
        elif n_tokens <= most:
            done[parts] = (text, n_tokens)
        else:
            done[parts] = _shortened(parts, counter, most, overhead)
    return done


def _shortened(parts: Parts, counter: TokenCounter, most: int, overhead: int) -> tuple[str, int]:
    """Drop outer parts until the rest fits; the innermost alone is cut at a grapheme."""
    tails = [joined((_CUT, *parts[i:])) for i in range(1, len(parts))]
    for tail, count in zip(tails, counter.count(tails) if tails else [], strict=True):
        if count - overhead <= most:
            return tail, count - overhead
    return _cut_to(parts[-1], counter, most, overhead)


def _cut_to(part: str, counter: TokenCounter, most: int, overhead: int) -> tuple[str, int]:
    room = most
    offsets = counter.offsets(part)
    while room > 0:
        end = offsets[room][0] if room < len(offsets) else len(part)
        kept = part[: graphemes.floor(part, end, 0)].rstrip()
        if not kept:
            break
        text = joined((f"{kept}{_CUT}",))
        n_tokens = counter.count([text])[0] - overhead
        if n_tokens <= most:
            return text, n_tokens
        room -= max(1, n_tokens - most)
    return "", 0
