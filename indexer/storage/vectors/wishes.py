"""What users ask of a collection's vector index: kept beside it, however small it still is."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from indexer.storage.engine import store_errors
from indexer.storage.manifest import read_json, write_json
from indexer.storage.vectors.layout import FORMAT, WISHES


@dataclass(frozen=True, slots=True)
class IndexWishes:
    """What a collection keeps of them; None: the default, or what was asked before."""

    target_recall: float | None = None  # at 10, against exact search
    ram_budget_bytes: int | None = None  # that searches may keep in use, mapped codes included
    prefix_dim: int | None = None  # dimensions of each row to code, from the first on; 0: all

    @classmethod
    def kept(cls, folder: Path) -> "IndexWishes":
        """What was asked before; nothing where that cannot be read."""
        values = read_json(folder / WISHES)
        if values is None or values.pop("format", None) != FORMAT:
            return IndexWishes()
        try:
            return IndexWishes(**values)
        except TypeError:
            return IndexWishes()

    def over(self, kept: "IndexWishes") -> "IndexWishes":
        """These, and what was asked before where nothing is asked now."""
        asked: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(kept)}
        both = replace(kept, **{name: value for name, value in asked.items() if value is not None})
        return replace(both, prefix_dim=both.prefix_dim or None)

    def coded_dimension(self, dimension: int) -> int:
        """Of rows of that dimension; a prefix kept for longer rows than there are now is void."""
        return min(self.prefix_dim or dimension, dimension)


@dataclass(frozen=True, slots=True)
class BuildWishes(IndexWishes):
    """With what only one build is asked for."""

    threads: int = 1
    even_if_small: bool = False  # build codes where exact search would be as fast: to measure them


def keep_wishes(folder: Path, wishes: IndexWishes) -> None:
    """Have what is asked now hold for every later build as well.

    Raises:
        StoreError: disk full or not writable; what was asked before stays.
    """
    kept = IndexWishes.kept(folder)
    wanted = wishes.over(kept)
    if wanted != kept:
        with store_errors(folder):
            write_json(folder / WISHES, {"format": FORMAT, **asdict(wanted)})
