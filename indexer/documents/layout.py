"""A text with the positions a splitter needs: its tokens and blocks, found once per document."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from indexer.documents import graphemes
from indexer.types import Block

_SPACE = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where tokens and blocks start.

    Token counts of a stretch are estimates: tokenising is not additive.
    """

    text: str
    token_starts: Sequence[int]
    blocks: Sequence[Block]
    block_starts: Sequence[int]

    def measure(self, start: int, end: int) -> int:
        """Tokens that start in text[start:end]."""
        return bisect_left(self.token_starts, end) - bisect_left(self.token_starts, start)

    def after(self, start: int, n_tokens: int) -> int:
        """The furthest position with at most `n_tokens` tokens between `start` and it."""
        index = bisect_left(self.token_starts, start) + n_tokens
        return self.token_starts[index] if index < len(self.token_starts) else len(self.text)

    def before(self, end: int, n_tokens: int) -> int:
        """The position `n_tokens` tokens before `end`."""
        index = bisect_left(self.token_starts, end) - n_tokens
        return self.token_starts[index] if index > 0 else 0

    def block_at(self, position: int) -> Block | None:
        """The block that holds `position`, gaps counted to the block before them."""
        index = bisect_right(self.block_starts, position) - 1
        return self.blocks[index] if index >= 0 else None

    def last_block_start(self, low: int, high: int) -> int | None:
        """The last start of a block in (low, high]."""
        index = bisect_right(self.block_starts, high) - 1
        start = self.block_starts[index] if index >= 0 else -1
        return start if start > low else None

    def skip_space(self, position: int) -> int:
        """The first position at or after `position` that is not white space."""
        match = _SPACE.match(self.text, position)
        return match.end() if match else position

    def settle(self, position: int, known: int) -> int:
        """`position`, or the start of the grapheme around it; `known` is a boundary before it."""
        return graphemes.floor(self.text, position, known)
