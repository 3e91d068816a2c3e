"""Exact search over rows that have no codes: all of them, or those that a mask leaves."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from indexer.storage.vectors.library import Floats, Ids, Mask, Rows, flat_view, selector, threads

# Fewer than one row in so many is gathered and multiplied, at 2.8 us a row of 1,024 dimensions; for
# more, FAISS passes over the bits of all rows at 1 ns each (both measured on a million rows).
_GATHERED = 2_500
_KEPT_MASKS = 8


@dataclass(frozen=True, eq=False)
class Passing:
    """Which rows of a part may be found. Made once a filter; safe to use from several threads."""

    mask: Mask  # shape (n,)
    count: int

    @cached_property
    def selector(self) -> Any:
        """For FAISS."""
        return selector(self.mask)

    @cached_property
    def positions(self) -> Ids:
        """Of the rows, ascending."""
        return np.flatnonzero(self.mask)

    def count_before(self, end: int) -> int:
        """How many of the first `end` rows."""
        if end >= len(self.mask):
            return self.count
        return self.count - int(np.count_nonzero(self.mask[end:]))


@dataclass(frozen=True, eq=False)
class ExactRows:
    """Rows with their embedding ids. Never changes; safe to use from several threads."""

    ids: Ids  # ascending, shape (n,)
    rows: Rows  # shape (n, dimension)
    dead: Mask  # shape (n,)
    index: Any  # over `rows`
    _passing: dict[int, tuple[Mask | None, Passing | None]] = field(default_factory=dict)

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
        return replace(self, dead=self.dead | dying, _passing={}) if dying.any() else self

    def passing(self, allowed: Mask | None) -> Passing | None:
        """Which rows may be found; None: all.

        Args:
            allowed: by embedding id; ids beyond its end may not be found. The same array is asked
                for again and again, so what follows from it is kept.
        """
        kept = self._passing.get(id(allowed))
        if kept is None or kept[0] is not allowed:
            if len(self._passing) >= _KEPT_MASKS:
                self._passing.clear()
            kept = allowed, self._pass(allowed)
            self._passing[id(allowed)] = kept
        return kept[1]

    def _pass(self, allowed: Mask | None) -> Passing | None:
        mask = ~self.dead if allowed is None else _by_id(self.ids, allowed) & ~self.dead
        count = int(np.count_nonzero(mask))
        return None if count == len(self) else Passing(mask, count)

    def search(self, query: Floats, k: int, passing: Passing | None) -> tuple[Ids, Floats]:
        """(positions, cosines) of at least the k best, best first, all that tie with the last.

        Args:
            query: shape (1, dimension).
            k: at least 1.
            passing: which rows may be found; None: all.
        """
        possible = len(self) if passing is None else passing.count
        if not possible:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        if passing is not None and possible * _GATHERED <= len(self):
            positions = passing.positions
            return _best(positions, self.rows[positions].astype(np.float32) @ query[0], k)
        with threads(1) as faiss:
            chosen = None if passing is None else faiss.SearchParameters(sel=passing.selector)
            wanted = k + 1
            while True:
                taken = min(wanted, possible)
                scores, positions = self.index.search(query, taken, params=chosen)
                # A tie across the cut would make the choice depend on where rows lie: look further.
                if taken == possible or scores[0, k - 1] != scores[0, -1]:
                    return positions[0], scores[0]
                wanted *= 2


def _by_id(ids: Ids, allowed: Mask) -> Mask:
    if not len(ids):
        return np.empty(0, np.bool_)
    first, last = int(ids[0]), int(ids[-1])
    mask = np.zeros(len(ids), np.bool_)
    if last - first + 1 == len(ids):  # no gap between the ids: no gathering
        here = allowed[first : last + 1]
        mask[: len(here)] = here
    else:
        known = int(np.searchsorted(ids, len(allowed)))
        mask[:known] = allowed[ids[:known]]
    return mask


def _best(positions: Ids, scores: Floats, k: int) -> tuple[Ids, Floats]:
    if len(scores) > k:
        cut = np.partition(scores, len(scores) - k)[len(scores) - k]
        positions, scores = positions[scores >= cut], scores[scores >= cut]
    order = np.argsort(-scores, kind="stable")
    return positions[order], scores[order]
