"""The two ways in which servers are asked to rerank, and what counts as an answer.

TEI        {"query", "texts", "truncate", "raw_scores"} -> [{"index", "score"}]
documents  {"model", "query", "documents"} -> {"results": [{"index", "relevance_score"}]}
           (vLLM, Jina, Cohere) or [{"index", "score", "document"}] (SGLang)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from indexer.embedding.remote.faults import AnswerFault, cleaned, error_in
from indexer.reranking.base import Scores

_MIN_CAP_BYTES = 8 << 20
_ITEM_BYTES = 4096  # an item without its text; some servers add what they counted
_CHAR_BYTES = 12  # a character beyond U+FFFF in JSON: two escapes of six


class Dialect(StrEnum):
    """How a server names the passages."""

    TEI = "texts"
    DOCUMENTS = "documents"


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how a server may be asked."""

    url: str
    dialect: Dialect


def request_of(
    dialect: Dialect, model: str | None, query: str, texts: Sequence[str], *, raw: bool = False
) -> dict[str, Any]:
    """The JSON body that asks for the scores of these texts.

    TEI is told to cut what is too long; the others cut, or refuse, by their own settings.
    """
    if dialect is Dialect.TEI:
        return {"query": query, "texts": list(texts), "truncate": True, "raw_scores": raw}
    named = {} if model is None else {"model": model}
    return {**named, "query": query, "documents": list(texts)}


def cap_bytes(texts: Sequence[str]) -> int:
    """The most an honest answer can take, which may hold the texts again."""
    return max(_MIN_CAP_BYTES, sum(_ITEM_BYTES + _CHAR_BYTES * len(text) for text in texts))


def scores_in(answer: object, count: int) -> Scores:
    """The scores of a parsed answer of either kind, in the order of the request.

    Returns:
        float32, shape (count,), finite.

    Raises:
        AnswerFault: each of the texts does not have exactly one score that is a number.
    """
    items = _items(answer)
    if len(items) != count:
        raise AnswerFault(f"gave {len(items)} scores for {count} texts")
    found = np.empty(count, dtype=np.float32)
    missing = set(range(count))
    for item in items:
        index = item.get("index") if isinstance(item, dict) else None
        if type(index) is not int or index not in missing:
            raise AnswerFault(
                f"gave index {cleaned(repr(index))[:40]} where each of 0 to {count - 1} belongs "
                "once: nothing says which score is whose"
            )
        missing.remove(index)
        found[index] = _score(item)
    return found


def _items(answer: object) -> list[Any]:
    items = answer.get("results") if isinstance(answer, dict) else answer
    if not isinstance(items, list):
        words = cleaned(error_in(answer)[0])
        said = f" but the error {words!r}" if words else ""
        raise AnswerFault(f"gave no list of scores{said}: it does not rerank at this address")
    return items


def _score(item: dict[str, Any]) -> float:
    value = item.get("relevance_score", item.get("score"))
    if isinstance(value, bool) or not isinstance(value, float | int):
        raise AnswerFault(f"gave {cleaned(repr(value))[:40]} where a score belongs")
    try:
        score = float(value)
    except OverflowError:  # an integer beyond any float
        score = math.inf
    if not abs(score) <= float(np.finfo(np.float32).max):
        raise AnswerFault(
            "gave a score that is NaN or infinite. fp16 overflows on some models: let the server "
            "run in bf16 or fp32"
        )
    return score
