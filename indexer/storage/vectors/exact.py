"""Exact search over rows that have no codes: all of them, or those that a mask leaves."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from indexer.storage.vectors.library import (
    Floats,
    Ids,
    Mask,
    Rows,
    flat_view,
    import_faiss,
    selector,
    threads,
)

# Fewer than one row in so many is copied together before it is scored. FAISS's selector looks at
# the bits of all rows, 1 ns each, and then waits for each row that passes: 10,000 of a million rows
# took 3.3 ms in runs of ten and 6.2 ms one by one where copying them takes 2.4 and 4.0. Of a tenth
# of the rows, or of few that are in the cache anyway, the selector is the faster.
_GATHERED = 50
_BLOCK_BYTES = 4 << 20  # copied at a time: what was just copied is still in the cache when scored
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
        with threads(1):
            wanted = k + 1
            while True:
                taken = min(wanted, possible)
                positions, scores = self._best(query, taken, passing)
                # A tie across the cut would make the choice depend on where rows lie: look further.
                if taken == possible or scores[k - 1] != scores[-1]:
                    return positions, scores
                wanted *= 2

    def _best(self, query: Floats, count: int, passing: Passing | None) -> tuple[Ids, Floats]:
        """(positions, cosines) of so many of the best; at most as many as there are."""
        if passing is not None and passing.count * _GATHERED <= len(self):
            return self._best_gathered(query, count, passing.positions)
        chosen = None
        if passing is not None:
            chosen = import_faiss().SearchParameters(sel=passing.selector)
        scores, positions = self.index.search(query, count, params=chosen)
        return positions[0], scores[0]

    def _best_gathered(self, query: Floats, count: int, positions: Ids) -> tuple[Ids, Floats]:
        """Of the rows at these positions, copied block after block."""
        step = max(1, _BLOCK_BYTES // (self.rows.shape[1] * self.rows.itemsize))
        room = np.empty((min(step, len(positions)), self.rows.shape[1]), self.rows.dtype)
        found = []
        for start in range(0, len(positions), step):
            here = positions[start : start + step]
            rows = room[: len(here)]
            np.take(self.rows, here, axis=0, out=rows, mode="clip")  # "raise" would copy twice
            scores, places = flat_view(rows).search(query, min(count, len(here)))
            found.append((here[places[0]], scores[0]))
        best, cosines = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(-cosines, kind="stable")[:count]
        return best[order], cosines[order]


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
