"""What the codes see of a row: all of it, or its first dimensions.

Models trained for it (MRL, as Qwen3-Embedding) put most of what a text means there. The codes are
then smaller and sooner learned; whole rows still rank what they find.
"""

from typing import Any

import numpy as np

from indexer.storage.vectors.library import Floats, Rows, import_faiss


def seen(rows: Rows | Floats, dimension: int) -> Floats:
    """The first `dimension` values of each row, float32; where that is not all, at unit length.

    The inner product of unscaled prefixes is the first part of the cosine of whole rows, but a row
    with a short prefix has the more in its rest, where it lies about as near. So the cosine of
    prefixes, which is also what a model is trained for, is the better guess at the whole (measured
    on rows of decaying variance: docs/decisions/0015-the-vector-index.md).
    """
    part = np.ascontiguousarray(rows[:, :dimension], dtype=np.float32)
    if dimension == rows.shape[1]:
        return part
    lengths = np.linalg.norm(part, axis=1, keepdims=True)
    scaled: Floats = part / np.maximum(lengths, np.float32(1e-12))  # a row of zeros stays one
    return scaled


def for_whole_rows(index: Any, dimension: int) -> Any:
    """The index, or one that takes whole rows of that dimension and shows it their first values.

    A query's length changes no ranking, so these are not scaled.
    """
    if index.d == dimension:
        return index
    faiss = import_faiss()
    first = faiss.RemapDimensionsTransform(dimension, index.d, False)
    return faiss.IndexPreTransform(first, index)
