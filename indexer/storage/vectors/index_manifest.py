"""Says which codes cover the first rows, what they were made for, and what was measured of them."""

from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Self

from indexer.storage.manifest import read_json, write_json
from indexer.storage.vectors.certificate import Certificate
from indexer.storage.vectors.choice import CodeSpec
from indexer.storage.vectors.layout import CODES_SUFFIX, INDEX_MANIFEST, RowsManifest

_FORMAT = 3  # of this file and the codes


@dataclass(frozen=True, slots=True)
class IndexManifest:
    """The codes of a collection's rows."""

    build: str  # of the rows they code
    codes: str  # name of their file
    sha256: str
    covered: int  # rows, from the first on
    coded_dimension: int  # of each row, from the first on
    lists: int
    subquantizers: int
    trained_on: int  # live rows when lists and codes were learned
    target_recall: float
    ram_budget_bytes: int | None
    certificate: Certificate
    library: str  # that wrote the codes

    @property
    def spec(self) -> CodeSpec:
        """How rows are coded."""
        return CodeSpec(self.lists, self.subquantizers)

    @classmethod
    def read(cls, folder: Path, rows: RowsManifest) -> Self | None:
        """None without codes over these rows, or where this code cannot read what is said of them.

        Both mean the same: searches are exact, and codes are to be made.
        """
        values = read_json(folder / INDEX_MANIFEST)
        if values is None or values.get("format") != _FORMAT or values.get("build") != rows.build:
            return None
        try:
            found = cls._of(values)
        except (KeyError, TypeError):
            return None
        is_ours = fnmatch(found.codes, f"vectors-{rows.build}-*{CODES_SUFFIX}")
        fits = 0 < found.covered <= rows.count and 0 < found.coded_dimension <= rows.dimension
        return found if is_ours and fits else None

    @classmethod
    def _of(cls, values: dict[str, Any]) -> Self:
        own = {field.name: values[field.name] for field in fields(cls)}
        numbers = ("covered", "coded_dimension", "lists", "subquantizers", "trained_on")
        if not all(type(own[name]) is int for name in numbers) or "/" in own["codes"]:
            raise TypeError("not what was written")
        return cls(**{**own, "certificate": Certificate.from_dict(own["certificate"])})

    def write(self, folder: Path) -> None:
        """Atomically."""
        write_json(folder / INDEX_MANIFEST, {"format": _FORMAT, **asdict(self)})
