"""Cut a passage over the budget at the best place: block, paragraph, sentence, word, grapheme."""

import re

from indexer.documents import graphemes
from indexer.documents.layout import Layout
from indexer.types import BlockKind

Span = tuple[int, int]

# A chunk of very long "words" (base64, a line of one letter) may count few tokens, or one unknown
# token: cap its characters too. English has about 4.5 characters a token, wide tables up to 15.
_CHARACTERS_PER_TOKEN = 20

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_LINE = re.compile(r"\n\s*")
_SENTENCE = re.compile(r"[.!?\u061f\u06d4\u0964…]+[\"'”’»)\]]*\s+|[。！？｡]+[”’」』）]*\s*")
_WORD = re.compile(r"\s+|[、，；：]\s*")
_ANNOUNCING = (":", "：")
_LINED = frozenset({BlockKind.TABLE, BlockKind.CODE, BlockKind.LIST})


def cut(layout: Layout, start: int, end: int, room: int, overlap: int) -> list[Span]:
    """Spans of at most about `room` tokens that cover text[start:end] in order.

    `start` is a grapheme boundary. A cut inside a block repeats up to `overlap` tokens before it.
    """
    spans: list[Span] = []
    reached = start
    solid = start + len(layout.text[start:end].rstrip())
    while True:
        first = _first_solid(layout, start)
        if layout.measure(first, solid) <= room and solid - first <= room * _CHARACTERS_PER_TOKEN:
            return [*spans, (start, end)]
        at = _best_cut(layout, first, solid, room)
        if at >= solid:
            return [*spans, (start, end)]
        if spans and at <= reached:  # nothing new fits beside what is repeated
            start = reached
            continue
        spans.append((start, at))
        start, reached = _step_back(layout, first, at, overlap), at


def halve(layout: Layout, start: int, end: int) -> list[Span]:
    """Two parts, at the last grapheme boundary before the middle; one grapheme: at code points.

    One code point comes back whole.
    """
    solid = start + len(layout.text[start:end].rstrip())
    first = _first_solid(layout, start)
    middle = (first + solid) // 2
    if middle <= first:
        return [(start, end)]
    at = layout.settle(middle, first)
    if at <= first:
        at = graphemes.following(layout.text, first)
    if at >= solid:
        at = middle
    return [(start, at), (at, end)]


def _first_solid(layout: Layout, start: int) -> int:
    """Where a chunk's text begins after white space, which costs nothing: it is not embedded."""
    return layout.settle(layout.skip_space(start), start)


def _best_cut(layout: Layout, start: int, end: int, room: int) -> int:
    """Where to end a chunk that starts at `start`, at most `room` tokens further."""
    left = layout.measure(start, end)
    # Two parts are left: make them alike instead of a full one and a scrap.
    fill = min(room, left * 2 // 3) if room < left < 2 * room else room
    longest = start + room * _CHARACTERS_PER_TOKEN
    high = max(start + 1, min(layout.after(start, max(fill, 1)), longest, end))
    low = max(start, min(layout.after(start, fill // 2), start + (high - start) // 2))
    whole = _before_table(layout, start, high, room)
    if whole is not None:
        return whole
    high_spaced = min(layout.skip_space(high), end)
    for at in _candidates(layout, low, high_spaced):
        if start < at and graphemes.is_boundary(layout.text, at, start):
            return at
    at = layout.settle(high, start)
    if at > start:
        return at
    furthest = max(start + 1, min(layout.after(start, room), longest, end))
    at = layout.settle(furthest, start)
    return at if at > start else furthest


def _before_table(layout: Layout, start: int, high: int, room: int) -> int | None:
    """The start of a table cut by `high` that would fit whole into the next chunk."""
    block = layout.block_at(high - 1)
    if block is None or block.kind is not BlockKind.TABLE or block.end <= high:
        return None
    if layout.measure(block.start, block.end) > room:
        return None
    if layout.measure(start, block.start) * 8 < room:
        return None
    return block.start if graphemes.is_boundary(layout.text, block.start, start) else None


def _candidates(layout: Layout, low: int, high: int) -> list[int]:
    """Cuts in (low, high], best first; each is the start of what follows the white space."""
    found = [_last_block(layout, low, high), _last(_PARAGRAPH, layout.text, low, high)]
    block = layout.block_at(high - 1)
    if block is not None and block.kind in _LINED:
        found.append(_last(_LINE, layout.text, max(low, block.start), high))
    found.append(_last(_SENTENCE, layout.text, low, high))
    found.append(_last(_WORD, layout.text, low, high))
    return [at for at in found if at is not None]


def _last_block(layout: Layout, low: int, high: int) -> int | None:
    """The last start of a block in (low, high], but none that the text before it announces."""
    at = layout.last_block_start(low, high)
    while at is not None and layout.text[low:at].rstrip()[-1:] in _ANNOUNCING:
        at = layout.last_block_start(low, at - 1)
    return at


def _last(pattern: re.Pattern[str], text: str, low: int, high: int) -> int | None:
    at = None
    for match in pattern.finditer(text, low, high):
        if match.end() > low:
            at = match.end()
    return at


def _step_back(layout: Layout, start: int, at: int, overlap: int) -> int:
    """Where the chunk after a cut starts: up to `overlap` tokens earlier, at a sentence or word."""
    if overlap <= 0 or layout.last_block_start(at - 1, at) is not None:
        return at
    low = max(start, layout.before(at, overlap))
    block = layout.block_at(at)
    lined = block is not None and block.kind in _LINED
    for pattern in (_LINE,) if lined else (_SENTENCE, _WORD):
        for match in pattern.finditer(layout.text, low, at):
            inside = start < match.end() < at
            if inside and graphemes.is_boundary(layout.text, match.end(), start):
                return match.end()
    return at
