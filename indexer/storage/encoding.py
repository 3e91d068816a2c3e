"""How vectors, id lists and the contract are written into catalog columns."""

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from indexer.errors import CorruptError, StoreError
from indexer.types import Contract

# float16: half the size and read time at recall@10 >= 0.9996 of float32
# (benchmarks/store/vectors_precision.py).
VECTOR_DTYPE = np.dtype("<f2")
_UNIT_TOLERANCE = 1e-3

Ids = npt.NDArray[np.int64]


def encode_vectors(
    vectors: Mapping[bytes, npt.NDArray[np.float32]], dimension: int, labels: Mapping[bytes, str]
) -> dict[bytes, bytes]:
    """{key: stored bytes}, checked.

    Args:
        vectors: {key: float32, shape (dimension,)}.
        dimension: the contract's.
        labels: {key: what to call its owner in an error}.

    Raises:
        StoreError: wrong shape, not finite, or not unit length; names the chunk.
    """
    if not vectors:
        return {}
    keys = list(vectors)
    for key in keys:
        shape = np.shape(vectors[key])
        if shape != (dimension,):
            raise StoreError(
                f"{labels[key]}: vector of shape {shape}, the contract says ({dimension},)."
            )
    block = np.stack([np.asarray(vectors[key], dtype=np.float32) for key in keys])
    # One NaN or infinity makes the sum of squares non-finite: one pass finds both faults.
    norms = np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64))
    bad = np.flatnonzero(~(np.abs(norms - 1.0) <= _UNIT_TOLERANCE))
    if bad.size:
        first = int(bad[0])
        what = (
            f"has length {norms[first]:.4g} instead of 1"
            if np.isfinite(block[first]).all()
            else "holds NaN or infinity"
        )
        raise StoreError(
            f"{labels[keys[first]]}: its vector {what}. Nothing was stored; the embedding "
            "runtime is at fault: try another placement or precision."
        )
    raw = block.astype(VECTOR_DTYPE)
    return {key: raw[i].tobytes() for i, key in enumerate(keys)}


def decode_vectors(blobs: Sequence[bytes], dimension: int) -> npt.NDArray[np.float32]:
    """float32, shape (len(blobs), dimension)."""
    flat = np.frombuffer(b"".join(blobs), dtype=VECTOR_DTYPE)
    return flat.reshape(len(blobs), dimension).astype(np.float32)


def encode_ids(ids: Iterable[int]) -> bytes:
    """Ascending little-endian int64."""
    return np.array(sorted(ids), dtype="<i8").tobytes()


def decode_ids(blob: bytes) -> list[int]:
    """The inverse of `encode_ids`."""
    values: list[int] = np.frombuffer(blob, dtype="<i8").tolist()
    return values


def encode_contract(contract: Contract) -> str:
    """JSON with keys in declaration order."""
    return json.dumps(contract.to_dict(), ensure_ascii=False)


def decode_contract(text: str) -> Contract:
    """The inverse of `encode_contract`.

    Raises:
        CorruptError: not a contract this code can read.
    """
    try:
        return Contract.from_dict(json.loads(text))
    except (TypeError, ValueError, KeyError) as error:
        raise CorruptError(
            f"the collection's contract cannot be read ({error}): restore it from a backup."
        ) from error


def encode_heading(heading: Sequence[str]) -> str:
    """JSON array."""
    return json.dumps(list(heading), ensure_ascii=False) if heading else "[]"


def decode_heading(text: str) -> tuple[str, ...]:
    """The inverse of `encode_heading`."""
    return tuple(json.loads(text)) if text != "[]" else ()
