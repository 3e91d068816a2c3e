"""What documents say of themselves (front matter and the like), as a column for each key."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np

from indexer.storage.filters.column import Column, Ids
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
        rows: dict[str, list[tuple[int, Scalar]]] = {}
        for number, text in enumerate(texts.values):
            for key, value in _pairs(json.loads(text), ""):
                rows.setdefault(folded(key), []).append((number, value))
        return cls(texts, {key: Column.of(pairs) for key, pairs in rows.items()})

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


def _pairs(value: Any, key: str) -> Iterator[tuple[str, Scalar]]:
    """(key, value) of all that is said; readers have limited how deep and how much that is."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _pairs(item, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for item in value:
            yield from _pairs(item, key)
    elif isinstance(value, bool):  # as text: it must not be taken for 1 or 0
        yield key, "true" if value else "false"
    elif value is not None:
        yield key, value
