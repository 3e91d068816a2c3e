"""The texts that every variant embeds: of exact token counts, drawn once, the same for all."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.evaluation.texts import texts_of_tokens
from indexer.embedding.spec import load_spec
from indexer.embedding.tokenizer import Tokenizer, load_tokenizer
from indexer.types import Kind

LEAST, MOST = 32, 512  # tokens of a text to index; the mean is about 200
OWN_TOKENS = 10  # of an instructed query, beside its prompt


@dataclass(frozen=True, slots=True)
class Workload:
    """Texts that go through a model in one call."""

    name: str
    texts: tuple[str, ...]
    tokens: int  # in all, prompts included
    query: bool = False  # with the model's query prompt
    repeats: int = 1  # calls in one round, each timed


def workloads(model: Path, bulk_texts: int, repeats: int) -> list[Workload]:
    """What is measured of a model; a model that takes no instruction has no instructed query.

    Args:
        model: its folder; only the tokenizer is used.
        bulk_texts: texts of the indexing workload.
        repeats: calls of each small workload in one round.
    """
    tokenizer = load_tokenizer(load_spec(model))
    bulk = _bulk(tokenizer, bulk_texts)
    small = [
        ("query of 24 tokens", texts_of_tokens(tokenizer, 24, 1, seed=1)),
        ("1 x 128 tokens", texts_of_tokens(tokenizer, 128, 1, seed=2)),
        ("4 x 128 tokens", texts_of_tokens(tokenizer, 128, 4, seed=3)),
    ]
    found = [
        Workload("indexing", tuple(bulk), sum(tokenizer.count(bulk))),
        Workload("mixed batch of 8", tuple(bulk[:8]), sum(tokenizer.count(bulk[:8]))),
        *(
            Workload(name, tuple(texts), sum(tokenizer.count(texts)), repeats=repeats)
            for name, texts in small
        ),
    ]
    if tokenizer.prompt(Kind.QUERY):
        texts = texts_of_tokens(tokenizer, OWN_TOKENS, 1, seed=4)
        tokens = len(tokenizer.encode(texts, Kind.QUERY)[0])
        found.append(Workload("instructed query", tuple(texts), tokens, True, repeats))
    return found


def _bulk(tokenizer: Tokenizer, count: int) -> list[str]:
    """Texts of 32 to 512 tokens, mean about 200, as chunks of documents are; within the limit."""
    draw = np.random.default_rng(7)
    # A beta distribution with mean 0.35: 32 + 480 x 0.35 = 200.
    lengths = LEAST + (MOST - LEAST) * draw.beta(1.4, 2.6, size=count)
    return [
        texts_of_tokens(tokenizer, min(int(length), tokenizer.max_tokens), 1, seed=100 + index)[0]
        for index, length in enumerate(lengths)
    ]
