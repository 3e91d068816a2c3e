"""A text as the string to send: prompt in front, cut here so that the server never has to.

A server truncates by its own rule: from the left, without the EOS that is pooled, or not at all and
answers 413. So a text over the model's limit is cut at the character where the last token that fits
ends, which is what a local runtime sees, up to how that last word comes apart.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from indexer.embedding.tokenizer import Tokenizer
from indexer.types import Kind

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Input:
    """A text ready to be sent."""

    row: int  # its place in the caller's list
    text: str  # prompt included
    tokens: int  # special tokens included, as the model will count them


def cut_inputs(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    kind: Kind,
    instruction: str | None = None,
    first_row: int = 0,
) -> list[Input]:
    """The texts with their prompt, each within the model's limit, in order.

    Args:
        tokenizer: the model's.
        texts: any strings; lone surrogates become U+FFFD.
        kind: which prompt goes in front.
        instruction: the task to put into the query prompt.
        first_row: the place of the first text.
    """
    prompt = tokenizer.prompt(kind, instruction)
    special = sum(tokenizer.special_counts)
    inputs = []
    for row, ids in enumerate(tokenizer.encode(texts, kind, instruction)):
        text = _SURROGATE.sub("\ufffd", prompt + texts[row])
        tokens = len(ids)
        if tokens == tokenizer.max_tokens:  # full, or cut
            text, bare = _fitting(tokenizer, text, tokenizer.max_tokens - special)
            tokens = bare + special
        inputs.append(Input(first_row + row, text, tokens))
    return inputs


def _fitting(tokenizer: Tokenizer, text: str, room: int) -> tuple[str, int]:
    """(longest prefix that ends with a token and has at most `room` tokens, its tokens)."""
    offsets = tokenizer.offsets(text)
    if len(offsets) <= room:
        return text, len(offsets)
    for last in range(room, 0, -1):
        # A token that shares its last character with the next one (half an emoji) goes with it.
        head = text[: min(offsets[last - 1][1], offsets[last][0])]
        # Alone, a prefix can come apart into more tokens than it had inside the text.
        tokens = len(tokenizer.offsets(head))
        if tokens <= room:
            return head, tokens
    return "", 0


def windows(texts: Sequence[str], max_texts: int, max_chars: int) -> Iterator[range]:
    """Runs of rows to tokenise together: bounded in texts and characters, at least one text."""
    start = chars = 0
    for row, text in enumerate(texts):
        if row > start and (row - start >= max_texts or chars + len(text) > max_chars):
            yield range(start, row)
            start, chars = row, 0
        chars += len(text)
    if start < len(texts):
        yield range(start, len(texts))
