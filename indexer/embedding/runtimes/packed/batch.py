"""Texts end to end in one row of tokens, with what tells them apart again."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from indexer.embedding.runtimes.base import TokenBatch

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring texts of the same length."""

    text: int  # index of the first
    token: int  # index of its first token
    texts: int
    length: int


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Texts without padding. All numbers are views of one int32 buffer: one copy to the device."""

    flat: "torch.Tensor"  # int32: ids, positions, starts, last, each
    lengths: tuple[int, ...]  # tokens of each text

    @property
    def tokens(self) -> int:
        """Tokens of all texts."""
        return (len(self.flat) - 3 * len(self.lengths) - 2) // 2

    @property
    def longest(self) -> int:
        """Tokens of the longest text."""
        return max(self.lengths)

    @property
    def ids(self) -> "torch.Tensor":
        """Token ids, shape (tokens,)."""
        return self.flat[: self.tokens]

    @property
    def positions(self) -> "torch.Tensor":
        """Place of each token in its text, shape (tokens,)."""
        return self.flat[self.tokens : 2 * self.tokens]

    @property
    def starts(self) -> "torch.Tensor":
        """First token of each text, and the end of the last; shape (texts + 1,)."""
        begin = 2 * self.tokens
        return self.flat[begin : begin + len(self.lengths) + 1]

    @property
    def last(self) -> "torch.Tensor":
        """The token of each text that is pooled, shape (texts,)."""
        begin = 2 * self.tokens + len(self.lengths) + 1
        return self.flat[begin : begin + len(self.lengths)]

    @property
    def each(self) -> "torch.Tensor":
        """0 to the number of texts: starts of rows with one token a text, shape (texts + 1,)."""
        return self.flat[-len(self.lengths) - 1 :]

    def runs(self) -> list[Run]:
        """Neighbours of equal length together, in order."""
        found: list[Run] = []
        text = token = 0
        while text < len(self.lengths):
            length = self.lengths[text]
            end = text
            while end < len(self.lengths) and self.lengths[end] == length:
                end += 1
            found.append(Run(text, token, end - text, length))
            token += (end - text) * length
            text = end
        return found

    def to(self, device: str) -> "PackedBatch":
        """The batch on a device. The copy to a GPU does not wait, so the host may go on."""
        if device == "cpu":
            return self
        flat = self.flat.pin_memory().to(device, non_blocking=True)
        return PackedBatch(flat, self.lengths)


def pack(batch: TokenBatch) -> PackedBatch:
    """The texts, none of them empty, in RAM."""
    import torch

    lengths = np.array([len(ids) for ids in batch], dtype=np.int32)
    starts = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=starts[1:])
    tokens = int(starts[-1])
    flat = np.concatenate(
        [
            *(np.asarray(ids, dtype=np.int32) for ids in batch),
            np.arange(tokens, dtype=np.int32) - np.repeat(starts[:-1], lengths),
            starts,
            starts[1:] - 1,
            np.arange(len(lengths) + 1, dtype=np.int32),
        ]
    )
    return PackedBatch(torch.from_numpy(flat), tuple(lengths.tolist()))
