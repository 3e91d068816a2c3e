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
        owners: list[int] = []
        numbers: list[int] = []
        known: dict[Any, int] = {}
        for owner, value in rows:
            owners.append(owner)
            numbers.append(known.setdefault(value, len(known)))
        return cls(np.array(owners, np.int64), np.array(numbers, np.int64), tuple(known))

    def passing(self, holds: Callable[[Any], bool]) -> Ids:
        """Owners of a value that passes."""
        verdicts = np.fromiter(map(holds, self.values), np.bool_, len(self.values))
        passing: Ids = self.owners[verdicts[self.numbers]]
        return passing
