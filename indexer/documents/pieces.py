"""A span on its way to a chunk, and the check that what is embedded of it fits the budget."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from indexer.documents.layout import Layout
from indexer.documents.sections import Path
from indexer.documents.split import cut, halve
from indexer.errors import UsageError
from indexer.types import TokenCounter


@dataclass(frozen=True, slots=True)
class Piece:
    """A span that becomes one chunk."""

    start: int
    end: int
    path: Path
    prefix: str  # put before the text when it is embedded; ends with a line end unless empty

    def embedded(self, text: str) -> str:
        """What the model sees, without outer white space: that says nothing and costs tokens."""
        return self.prefix + text[self.start : self.end].strip()


def fit(
    layout: Layout, counter: TokenCounter, budget: int, pieces: Sequence[Piece]
) -> tuple[list[Piece], list[int]]:
    """The pieces with those over the budget cut smaller, and each one's real token count.

    Raises:
        UsageError: a single code point is over the budget.
    """
    text = layout.text
    settled = list(pieces)
    counts = counter.count([piece.embedded(text) for piece in settled])
    while max(counts) > budget:
        smaller: list[Piece] = []
        known: list[int | None] = []
        for piece, count in zip(settled, counts, strict=True):
            parts = [piece] if count <= budget else _shrink(layout, piece, count, budget)
            smaller += parts
            known += [count] if count <= budget else [None] * len(parts)
        fresh = [piece for piece, count in zip(smaller, known, strict=True) if count is None]
        answers = iter(counter.count([piece.embedded(text) for piece in fresh]))
        counts = [next(answers) if count is None else count for count in known]
        settled = smaller
    return _without_repeats(settled, counts)


def _without_repeats(
    pieces: Sequence[Piece], counts: Sequence[int]
) -> tuple[list[Piece], list[int]]:
    """Without pieces that hold nothing but an overlap: what cutting smaller may leave of one."""
    kept: list[Piece] = []
    kept_counts: list[int] = []
    for piece, count in zip(pieces, counts, strict=True):
        if not kept or piece.end > kept[-1].end:
            kept.append(piece)
            kept_counts.append(count)
    return kept, kept_counts


def _shrink(layout: Layout, piece: Piece, count: int, budget: int) -> list[Piece]:
    """Parts of a piece whose text counted over the budget."""
    estimate = layout.measure(piece.start, piece.end)
    room = estimate - max(1, 2 * (count - budget))
    spans = cut(layout, piece.start, piece.end, room, 0) if room > estimate // 2 else []
    if len(spans) < 2:
        spans = halve(layout, piece.start, piece.end)
    if len(spans) == 1 and piece.prefix:
        return [replace(piece, prefix="")]
    if len(spans) == 1:
        raise UsageError(
            f"One character (U+{ord(layout.text[piece.start]):04X}) takes {count} tokens with the "
            f"prompt, more than the budget of {budget}. Raise max_tokens."
        )
    return [replace(piece, start=start, end=end) for start, end in spans]
