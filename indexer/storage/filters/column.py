"""A field of all documents: each different value once, so that a filter judges it once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Column:
    """Values and whose they are; an owner may have several, or none."""

    owners: Ids
    numbers: Ids  # of each owner's value among `values`
    values: tuple[Any, ...]  # the different ones

    @classmethod
    def of(cls, rows: Iterable[tuple[int, Any]]) -> Self:
        """The column of (owner, value) pairs."""
        growing = GrowingColumn()
        for owner, value in rows:
            growing.add(owner, value)
        return cls(*growing.parts())

    def passing(self, holds: Callable[[Any], bool]) -> Ids:
        """Owners of a value that passes."""
        verdicts = np.fromiter(map(holds, self.values), np.bool_, len(self.values))
        passing: Ids = self.owners[verdicts[self.numbers]]
        return passing


class GrowingColumn:
    """A column that is being read; numbers in lists, a million tuples would keep the GC busy."""

    def __init__(self) -> None:
        self._owners: list[int] = []
        self._numbers: list[int] = []
        self._known: dict[Any, int] = {}

    def add(self, owner: int, value: Any) -> None:
        """One more value of an owner."""
        self._owners.append(owner)
        self._numbers.append(self._known.setdefault(value, len(self._known)))

    def parts(self) -> tuple[Ids, Ids, tuple[Any, ...]]:
        """What a `Column` is made of."""
        owners, numbers = (np.array(ids, np.int64) for ids in (self._owners, self._numbers))
        return owners, numbers, tuple(self._known)
