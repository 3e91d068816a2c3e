"""What documents say of themselves (front matter and the like), as a column for each key."""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np

from indexer.storage.filters.column import Column, GrowingColumn, Ids
from indexer.storage.filters.values import Scalar, compares, equals, folded, has_tag, is_something
from indexer.storage.filters.where import Compared, HasMetadata, Metadata, Tag

MetadataLeaf: TypeAlias = Metadata | HasMetadata | Compared | Tag
TAG_KEYS = ("tags", "tag")


@dataclass(frozen=True, eq=False)
class MetadataColumns:
    """Values by key, whatever its case; `a.b` is key b inside a, a list is several values."""

    texts: Column  # which document has which metadata
    by_key: dict[str, Column]  # owners are numbers of the texts' values

    @classmethod
    def of(cls, texts: Column) -> Self:
        """The columns of metadata in JSON; each different text is read once."""
        by_key: dict[str, GrowingColumn] = defaultdict(GrowingColumn)
        spelled = _Spelled(by_key)
        for number, text in enumerate(texts.values):
            for key, value in json.loads(text).items():
                _add(spelled, key, number, value)
        return cls(texts, {key: Column(*column.parts()) for key, column in by_key.items()})

    def passing(self, where: MetadataLeaf) -> Ids:
        """Ids of the documents of which a value passes."""
        keys, holds = self._condition(where)
        texts = np.zeros(len(self.texts.values), np.bool_)
        for key in keys:
            if key in self.by_key:
                texts[self.by_key[key].passing(holds)] = True
        passing: Ids = self.texts.owners[texts[self.texts.numbers]]
        return passing

    def _condition(self, where: MetadataLeaf) -> tuple[tuple[str, ...], Callable[[Scalar], bool]]:
        """(keys, whether a value of them passes)."""
        match where:
            case Tag(name):
                return TAG_KEYS, has_tag(name)
            case Metadata(key, value):
                return (folded(key),), equals(value)
            case Compared(key, order, operand):
                return (folded(key),), compares(order, operand)
            case HasMetadata(key):
                wanted = folded(key)
                inside = tuple(each for each in self.by_key if each.startswith(f"{wanted}."))
                return (wanted, *inside), is_something


class _Spelled(dict[str, GrowingColumn]):
    """Columns by keys as they are spelled; spellings of one key share a column."""

    def __init__(self, by_key: dict[str, GrowingColumn]) -> None:
        super().__init__()
        self._by_key = by_key

    def __missing__(self, key: str) -> GrowingColumn:
        column = self[key] = self._by_key[folded(key)]
        return column


def _add(columns: _Spelled, key: str, number: int, value: Any) -> None:
    """Add all that a value says; readers have limited how deep and how much that is."""
    if isinstance(value, str | int | float):
        # Truths as text: they must not be taken for 1 or 0.
        columns[key].add(number, str(value).lower() if isinstance(value, bool) else value)
    elif isinstance(value, dict):
        for name, item in value.items():
            _add(columns, f"{key}.{name}", number, item)
    elif isinstance(value, list):
        for item in value:
            _add(columns, key, number, item)
