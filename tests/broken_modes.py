"""Run inside an evaluation's child processes: modes that are wrong in ways that have happened.

Each breaks only cpu:int8, after its self-test, and leaves the reference mode alone.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np

from indexer.embedding.embedder import Embedder
from indexer.types import Pooling


def main(how: str) -> None:
    """Break, then answer the job as the module that is named by the command line would."""
    from app.evaluation.strict_models import StrictModels

    if how == "stale index":
        _code_other_rows()
    else:
        opened = StrictModels.embedder

        def embedder(self: StrictModels, spec: Any, dimension: int | None = None) -> Embedder:
            if self.mode.precision != "int8":
                return opened(self, spec, dimension)
            return _BREAKS[how](lambda spec: opened(self, spec, dimension), spec)

        StrictModels.embedder = embedder  # type: ignore[method-assign]
    import_module(sys.argv.pop(1)).main()


Opened = Callable[[Any], Embedder]


def _other_pooling(opened: Opened, spec: Any) -> Embedder:
    """The contract still says mean: its vectors are those of the first token."""
    embedder = opened(replace(spec, pooling=Pooling.CLS))
    embedder.spec = spec
    return embedder


def _no_end_token(opened: Opened, spec: Any) -> Embedder:
    embedder = opened(spec)
    encode = embedder.tokenizer.encode
    embedder.tokenizer.encode = lambda *texts: [ids[:-1] for ids in encode(*texts)]  # type: ignore[method-assign]
    return embedder


def _other_prompt(opened: Opened, spec: Any) -> Embedder:
    embedder = opened(spec)
    embed = embedder.embed

    def prompted(texts: Any, kind: Any, *rest: Any, **named: Any) -> Any:
        if kind == "query":
            texts = [f"Instruct: Given a web search query, retrieve\nQuery: {t}" for t in texts]
        return embed(texts, kind, *rest, **named)

    embedder.embed = prompted  # type: ignore[method-assign]
    return embedder


def _garbage(opened: Opened, spec: Any) -> Embedder:
    """Weights of four bits gone wrong: every vector drowns in noise."""
    embedder = opened(spec)
    embed = embedder.embed

    def noisy(texts: Any, *rest: Any, **named: Any) -> Any:
        vectors = embed(texts, *rest, **named)
        noise = np.random.default_rng(len(texts)).standard_normal(vectors.shape)
        moved = vectors + 8 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)

    embedder.embed = noisy  # type: ignore[method-assign]
    return embedder


def _code_other_rows() -> None:
    """A FAISS file of an earlier state: each code stands for a row that has moved since."""
    from indexer.storage.vectors.codes import Codes

    searched = Codes.search

    def shifted(self: Codes, query: Any, k: int, effort: Any, rows: Any, *rest: Any) -> Any:
        positions, _ = searched(self, query, k, effort, rows, *rest)
        positions = (positions + 7) % self.covered
        scores = rows.rows[positions].astype(np.float32) @ query[0]
        order = np.argsort(-scores)
        return positions[order], scores[order]

    Codes.search = shifted  # type: ignore[method-assign]


_BREAKS = {
    "pooling": _other_pooling,
    "no end token": _no_end_token,
    "prompt": _other_prompt,
    "garbage": _garbage,
}
