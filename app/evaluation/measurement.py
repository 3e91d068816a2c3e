"""How fast one loaded model embeds, and what it cost to have it."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from app.evaluation.article import TOKENS
from app.evaluation.texts import texts_of_tokens
from indexer.embedding.embedder import Embedder
from indexer.embedding.footprint import peak_rss_bytes, peak_vram_bytes
from indexer.types import Kind

BATCHES = (1, 4)  # texts in one call, as in the article
OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One mode on this machine."""

    mode: str
    engine: str  # what ran it
    tokens: int  # of each text
    one_text_ms: tuple[float, ...]  # every run
    four_texts_ms: tuple[float, ...]
    load_s: float
    peak_rss_bytes: int  # of the process that did nothing else
    peak_vram_bytes: int | None  # None: no GPU memory used
    first_load_s: float | None = None  # of a start before, with what is made and tested only once

    @property
    def one_text(self) -> float:
        """Median milliseconds of one text."""
        return median(self.one_text_ms)

    @property
    def four_texts(self) -> float:
        """Median milliseconds of four texts in one call."""
        return median(self.four_texts_ms)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: the inverse of `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Measurement":
        """What `to_dict` gave, after JSON."""
        runs = {name: tuple(values[name]) for name in ("one_text_ms", "four_texts_ms")}
        return cls(**{**values, **runs})


def measure(embedder: Embedder, load_s: float, runs: int, on_step: OnStep) -> Measurement:
    """Time this model on texts of 128 tokens, or of its limit if that is less.

    Each batch size is warmed up once; every run has texts of its own, so that no cache answers.

    Args:
        embedder: just loaded.
        load_s: how long that took.
        runs: timed calls of each batch size, at least 1.
        on_step: told what comes next.
    """
    tokens = min(TOKENS, embedder.tokenizer.max_tokens)
    times: dict[int, tuple[float, ...]] = {}
    made = 0
    for batch in BATCHES:
        found = []
        for run in range(runs + 1):
            on_step(f"batch {batch}, " + (f"run {run} of {runs}" if run else "warm-up"))
            texts = texts_of_tokens(embedder.tokenizer, tokens, batch, seed=made)
            made += 1
            started = time.perf_counter()
            embedder.embed(texts, Kind.DOCUMENT)
            found.append((time.perf_counter() - started) * 1000)
        times[batch] = tuple(found[1:])
    return Measurement(
        mode=str(embedder.mode),
        engine=embedder.engine,
        tokens=embedder.tokenizer.count(texts)[0],
        one_text_ms=times[1],
        four_texts_ms=times[4],
        load_s=load_s,
        peak_rss_bytes=peak_rss_bytes(),
        peak_vram_bytes=peak_vram_bytes(),
    )
