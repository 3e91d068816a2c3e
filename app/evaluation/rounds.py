"""What `bench` times: how many calls at most, in which rounds, on which texts.

Every mode runs in every round, so a minute in which the machine is busy hits all of them alike.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.evaluation.article import TOKENS
from app.evaluation.texts import texts_of_tokens
from indexer.embedding.tokenizer import Tokenizer

BATCHES = (1, 4)  # texts in one call, as in the article
ROUNDS = 5  # block bootstraps want as many
WARMUP = 2  # calls before those that count, of each size in each round
LEAST_RUNS = 10  # however slow a mode is
# Of the texts whose vectors are compared: of many lengths, as padding is where they go wrong.
_CHECK_TOKENS = (12, 40, 90, 128)

Calls = Sequence[Sequence[str]]  # the texts of each call


@dataclass(frozen=True, slots=True)
class Budget:
    """Bounds of a cell: one mode with one number of texts, over all rounds."""

    runs: int = 100
    seconds: float = 60.0

    @property
    def rounds(self) -> int:
        """Rounds that have a run."""
        return min(ROUNDS, self.runs)

    def runs_of(self, number: int) -> int:
        """Runs of a round, counted from 0, at most."""
        return _share(self.runs, self.rounds, number)

    def least_of(self, number: int) -> int:
        """Runs of a round, counted from 0, even where time is over."""
        return _share(min(LEAST_RUNS, self.runs), self.rounds, number)


def _share(total: int, parts: int, number: int) -> int:
    return total // parts + (number < total % parts)


@dataclass(frozen=True, slots=True)
class Round:
    """The work of one round, the same for all modes."""

    cells: tuple[Calls, ...]  # in the order of BATCHES; the first WARMUP calls of each do not count
    tokens: int  # of each timed text
    least: int  # timed calls of each cell
    seconds: float  # of timed calls; then a cell ends once it has the least
    check: Sequence[str]  # whose vectors are compared

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: the inverse of `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Round":
        """What `to_dict` gave, after JSON."""
        return cls(**{**values, "cells": tuple(values["cells"])})


def rounds_of(tokenizer: Tokenizer, budget: Budget) -> list[Round]:
    """Texts for all rounds: of 128 tokens, or of the model's limit if that is less; none twice."""
    tokens = min(TOKENS, tokenizer.max_tokens)
    check = [
        texts_of_tokens(tokenizer, min(length, tokens), 1, seed=length)[0]
        for length in _CHECK_TOKENS
    ]
    exact = tokenizer.count(texts_of_tokens(tokenizer, tokens, 1, seed=1))[0]
    found = []
    made = 1000  # other seeds than those above
    for number in range(budget.rounds):
        cells: list[Calls] = []
        for batch in BATCHES:
            calls = WARMUP + budget.runs_of(number)
            seeds = range(made, made + calls)
            cells.append([texts_of_tokens(tokenizer, tokens, batch, seed) for seed in seeds])
            made += calls
        share = budget.seconds / budget.rounds
        found.append(Round(tuple(cells), exact, budget.least_of(number), share, check))
    return found
