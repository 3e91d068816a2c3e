"""Vectors of queries that were asked before, in memory: the longest unused go first."""

import hashlib
import json
import threading
from collections import OrderedDict

import numpy as np

from app.search.query_text import QueryText
from indexer.types import Vector

# Of an entry beside its values, measured with tracemalloc on CPython 3.11: key, array, links.
_ENTRY_BYTES = 350
# Of the length of a vector from 1: float32 keeps seven digits, sums of thousands lose two of them.
_UNIT_TOLERANCE = 1e-3


def query_key(fingerprint: str, query: QueryText) -> bytes:
    """32 bytes that name the vector of this query under the contract of this fingerprint.

    Equal keys, equal vectors: JSON keeps the parts apart whatever characters they hold.
    """
    parts = [fingerprint, query.kind, query.instruction, query.text]
    # As it is, not as \\u escapes: two lone surrogates would be written as the emoji they make up.
    named = json.dumps(parts, ensure_ascii=False)
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).digest()


def is_unit(vector: Vector) -> bool:
    """Whether all values are finite and the length is 1, as it is of each vector of a model."""
    # In float64, as the squares of what is found in a damaged value may overflow.
    length = float(np.linalg.norm(vector.astype(np.float64)))
    return bool(np.isfinite(length)) and abs(length - 1) <= _UNIT_TOLERANCE


class VectorCache:
    """Bounded in bytes. Threads may share it."""

    def __init__(self, max_bytes: int) -> None:
        """Hold at most so many bytes; none for 0."""
        self._max_bytes = max_bytes
        self._vectors: OrderedDict[bytes, Vector] = OrderedDict()
        self._lock = threading.Lock()
        self.hits = self.misses = self.bytes = 0

    def __len__(self) -> int:
        return len(self._vectors)

    def get(self, key: bytes) -> Vector | None:
        """The vector, which cannot be written to; None if it is not here."""
        with self._lock:
            found = self._vectors.get(key)
            if found is None:
                self.misses += 1
                return None
            self._vectors.move_to_end(key)
            self.hits += 1
            return found

    def put(self, key: bytes, vector: Vector) -> None:
        """Remember a vector of a model; anything else is not kept."""
        if not is_unit(vector):  # of a text without a token: zeros
            return
        kept = vector.copy()  # not a row that would keep the whole batch in memory
        kept.flags.writeable = False
        with self._lock:
            replaced = self._vectors.pop(key, None)
            self.bytes += _size(kept) - (0 if replaced is None else _size(replaced))
            self._vectors[key] = kept
            while self.bytes > self._max_bytes:
                _, oldest = self._vectors.popitem(last=False)
                self.bytes -= _size(oldest)


def _size(vector: Vector) -> int:
    return vector.nbytes + _ENTRY_BYTES
