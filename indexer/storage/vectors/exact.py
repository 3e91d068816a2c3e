"""Exact search over rows that have no codes: all of them, or those that a mask leaves."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from indexer.storage.vectors.library import Floats, Ids, Mask, Rows, flat_view, selector, threads

# So few rows are gathered and multiplied; for more, a pass over the mask's bits costs less.
_GATHERED_SHARE = 1 / 64
_GATHERED_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class ExactRows:
    """Rows with their embedding ids. Never changes; safe to use from several threads."""

    ids: Ids  # ascending, shape (n,)
    rows: Rows  # shape (n, dimension)
    dead: Mask  # shape (n,)
    index: Any  # over `rows`

    @classmethod
    def of(cls, ids: Ids, rows: Rows, dead: Mask | None = None) -> Self:
        """All of them alive, unless `dead` says otherwise."""
        return cls(
            ids, rows, np.zeros(len(ids), np.bool_) if dead is None else dead, flat_view(rows)
        )

    def __len__(self) -> int:
        return len(self.ids)

    def without(self, gone: Ids) -> Self:
        """The same with these ids dead, ascending; those that are not here do not matter."""
        dying = np.isin(self.ids, gone, assume_unique=True)
        return replace(self, dead=self.dead | dying) if dying.any() else self

    def search(self, query: Floats, k: int, mask: Mask | None) -> tuple[Ids, Floats]:
        """(positions, cosines) of at least the k best, best first, all that tie with the last.

        Args:
            query: shape (1, dimension).
            k: at least 1.
            mask: which rows may be found, shape (n,); None: all.
        """
        possible = len(self) if mask is None else int(np.count_nonzero(mask))
        if not possible:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if mask is not None and possible <= min(_GATHERED_ROWS, _GATHERED_SHARE * len(self)):
            positions = np.flatnonzero(mask)
            return _best(positions, self.rows[positions].astype(np.float32) @ query[0], k)
        parameters = self._parameters(mask)
        wanted = k + 1
        while True:
            taken = min(wanted, possible)
            with threads(1):
                scores, positions = self.index.search(query, taken, params=parameters)
            # A tie across the cut would make the choice depend on where rows lie: look further.
            if taken == possible or scores[0, k - 1] != scores[0, -1]:
                return positions[0], scores[0]
            wanted *= 2

    def _parameters(self, mask: Mask | None) -> Any:
        if mask is None:
            return None
        with threads(1) as faiss:
            return faiss.SearchParameters(sel=selector(mask))


def _best(positions: Ids, scores: Floats, k: int) -> tuple[Ids, Floats]:
    if len(scores) > k:
        cut = np.partition(scores, len(scores) - k)[len(scores) - k]
        positions, scores = positions[scores >= cut], scores[scores >= cut]
    order = np.argsort(-scores, kind="stable")
    return positions[order], scores[order]
