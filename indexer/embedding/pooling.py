"""Token states -> one vector per text, and that vector -> the unit vector a collection stores."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from indexer.types import Pooling, Vectors

if TYPE_CHECKING:
    import torch


def pool(states: "torch.Tensor", mask: "torch.Tensor", how: Pooling) -> "torch.Tensor":
    """One vector per row, float32, unnormalised; right for left, right or no padding.

    Args:
        states: token states, shape (n, length, hidden), any float type.
        mask: 1 for tokens, 0 for padding, shape (n, length). A row without tokens gives zeros.
        how: mean over the tokens, the first token, or the last token.
    """
    import torch

    if how is Pooling.MEAN:
        # Filled, not multiplied by 0: padding may hold NaN, and NaN x 0 is NaN.
        kept = states.masked_fill(mask.unsqueeze(-1) == 0, 0)
        counts = mask.sum(dim=1, keepdim=True, dtype=torch.float32)
        return kept.sum(dim=1, dtype=torch.float32) / counts.clamp(min=1e-9)
    length = mask.shape[1]
    if how is Pooling.CLS:
        index = mask.int().argmax(dim=1)
    else:
        index = length - 1 - mask.int().flip(1).argmax(dim=1)
    rows = torch.arange(len(states), device=states.device)
    return states[rows, index].masked_fill(mask[rows, index].unsqueeze(-1) == 0, 0).float()


def finish(pooled: Vectors, dimension: int) -> Vectors:
    """The first `dimension` values of each row (MRL), scaled to unit length; a zero row stays zero.

    Truncation comes before the scaling: the other order gives vectors shorter than 1 and wrong
    scores.
    """
    cut = pooled[:, :dimension]
    # The norm in float64: a float32 sum of squares can overflow for large states.
    norms = np.sqrt(np.einsum("ij,ij->i", cut, cut, dtype=np.float64))
    unit: Vectors = (cut / np.maximum(norms, 1e-12)[:, None]).astype(np.float32)
    return unit


def non_finite_rows(pooled: Vectors) -> npt.NDArray[np.intp]:
    """Indices of rows that hold a NaN or an infinity."""
    return np.flatnonzero(~np.isfinite(pooled).all(axis=1))
