"""OpenAI's POST /v1/embeddings, as SGLang, vLLM, TEI, llama.cpp and Ollama speak it too.

`dimensions` is never sent: most servers refuse it, and shorter vectors are cut here. base64 is
asked for first: 32 vectors of 1,024 values are read in 0.5 ms instead of 16 ms (one EPYC core) and
take a quarter of the bytes. A server that refuses it or answers with numbers all the same is asked
plainly from then on.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from indexer.embedding.remote.faults import AnswerFault, cleaned, error_in
from indexer.embedding.remote.wire import WireFormat, checked, numbers, wrong_dimension
from indexer.types import Vectors

_MAY_MEAN_BASE64 = frozenset({400, 415, 422, 501})  # statuses of servers that do not know it


class OpenAIFormat(WireFormat):
    """{"model", "input"} -> {"data": [{"index", "embedding"}]}."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._wants_base64 = True
        self._gave_base64 = False

    def request(self, texts: Sequence[str]) -> dict[str, Any]:
        """See `WireFormat.request`."""
        body: dict[str, Any] = {"model": self._model, "input": list(texts)}
        if self._wants_base64:
            body["encoding_format"] = "base64"
        return body

    def asks_otherwise(self, request: Mapping[str, Any], status: int) -> bool:
        """See `WireFormat.asks_otherwise`: floats where base64 was asked for and never given."""
        if "encoding_format" not in request or self._gave_base64 or status not in _MAY_MEAN_BASE64:
            return False
        self._wants_base64 = False
        return True

    def vectors(self, answer: object, count: int, dimension: int) -> Vectors:
        """See `WireFormat.vectors`; rows are placed by `index`, each of which must come once."""
        items = _items(answer)
        if len(items) != count:
            raise AnswerFault(f"gave {len(items)} vectors for {count} texts")
        found = np.empty((count, dimension), dtype=np.float32)
        missing = set(range(count))
        for item in items:
            index = item.get("index") if isinstance(item, dict) else None
            if type(index) is not int or index not in missing:
                raise AnswerFault(
                    f"gave index {cleaned(repr(index))[:40]} where each of 0 to {count - 1} "
                    "belongs once: nothing says which vector is whose"
                )
            missing.remove(index)
            found[index] = self._vector(item.get("embedding"), dimension)
        return checked(found)

    def _vector(self, value: object, dimension: int) -> Vectors:
        if isinstance(value, str):
            self._gave_base64 = True
            return _decoded(value, dimension)
        self._wants_base64 = False
        return numbers(value, dimension)


def _items(answer: object) -> list[Any]:
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        words = cleaned(error_in(answer)[0])
        said = f" but the error {words!r}" if words else ""
        raise AnswerFault(f"gave no list `data`{said}: it does not speak OpenAI's embeddings")
    return data


def _decoded(text: str, dimension: int) -> Vectors:
    """base64 of packed little-endian float32, whatever this machine's byte order."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: a character beyond ASCII
        raise AnswerFault("gave a vector that is no base64") from None
    if len(data) % 4:
        raise AnswerFault(f"gave {len(data)} bytes of base64, no whole number of float32")
    if len(data) != 4 * dimension:
        raise wrong_dimension(len(data) // 4, dimension)
    return np.frombuffer(data, dtype="<f4").astype(np.float32)
