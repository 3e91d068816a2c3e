"""What lies on disk: rows (float16, append-only), their map (ids, dead ones, checksums), codes.

    vectors.json                  which rows there are, at which generation of the catalog
    vectors-<build>.rows          raw little-endian float16, row after row; grows at its end
    vectors-<build>-<gen>.map     ids of the rows, which are dead, a checksum for each block
    vectors.index.json            which codes cover the first rows, and what was measured of them
    vectors.wishes.json           what users ask of such codes
    vectors-<build>-<any>.codes   those codes, see list_file

Each small file is written whole under a new name before the JSON that names it is replaced, so a
reader finds either the old state or the new one. Rows past the count in vectors.json are the
remains of a writer that was killed.
"""

from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np

from indexer.storage.catalog import Head
from indexer.storage.encoding import VECTOR_DTYPE
from indexer.storage.manifest import read_json, write_json
from indexer.storage.vectors.library import Ids, Mask

MANIFEST, ROWS_SIDECAR = "vectors.json", "vectors.trust.json"
DAMAGE = "vectors.damaged.json"  # a reader met damaged rows: the next sync writes them anew
INDEX_MANIFEST, CODES_SIDECAR = "vectors.index.json", "vectors.index.trust.json"
WISHES = "vectors.wishes.json"
OWNED = "vectors-*"  # every file that the two manifests may name
CODES_SUFFIX = ".codes"
UNFINISHED_CODES = f".vectors-*{CODES_SUFFIX}.*.tmp"
FORMAT = 2
BLOCK_BYTES = 64 << 10  # of rows under one checksum: a query that touches 200 hashes 13 MB, 10 ms
DIGEST_BYTES = 32
_NUMBERS = ("dimension", "generation", "last_id", "count", "dead", "map_generation")


@dataclass(frozen=True, slots=True)
class RowsManifest:
    """The rows of a collection at a generation."""

    collection: str
    contract: str
    dimension: int
    generation: int
    last_id: int  # every embedding with a higher id is missing
    count: int
    dead: int  # rows among them that may not be found
    build: str
    map_generation: int  # at which the map was last written: commits of no vectors change nothing
    map_sha256: str

    @property
    def rows_file(self) -> str:
        """Name of the file that holds the rows."""
        return f"vectors-{self.build}.rows"

    @property
    def map_file(self) -> str:
        """Name of the file that says what the rows are."""
        return f"vectors-{self.build}-{self.map_generation}.map"

    @property
    def rows_bytes(self) -> int:
        """Of the rows that count."""
        return self.count * self.dimension * VECTOR_DTYPE.itemsize

    def fits(self, head: Head) -> bool:
        """Whether these are rows of this collection, at its generation or behind."""
        return (
            self.collection == head.uuid
            and self.contract == head.contract.fingerprint
            and self.dimension == head.contract.dimension
            and self.generation <= head.generation
        )

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """None if there is none, or not one that this code wrote."""
        values = read_json(folder / MANIFEST)
        if values is None or values.pop("format", None) != FORMAT:
            return None
        numbers = [values.get(name) for name in _NUMBERS]
        if not all(type(number) is int and number >= 0 for number in numbers):
            return None
        try:
            return cls(**values)
        except TypeError:
            return None

    def write(self, folder: Path) -> None:
        """Atomically."""
        write_json(folder / MANIFEST, {"format": FORMAT, **asdict(self)})


@dataclass(frozen=True, slots=True)
class RowMap:
    """What each row is."""

    ids: Ids  # embedding ids, ascending, shape (count,)
    dead: Mask  # shape (count,)
    digests: bytes  # sha256 of each block of `block_rows` rows, the last one maybe shorter

    def to_bytes(self) -> bytes:
        """The file's content."""
        ids = self.ids.astype("<i8").tobytes()
        return ids + np.packbits(self.dead, bitorder="little").tobytes() + self.digests

    @classmethod
    def from_bytes(cls, data: bytes, count: int) -> Self:
        """The inverse; `data` has passed its checksum.

        Raises:
            ValueError: the length does not fit the count.
        """
        bits_at = count * 8
        digests_at = bits_at + (count + 7) // 8
        bits = np.frombuffer(data, np.uint8, digests_at - bits_at, bits_at)
        return cls(
            ids=np.frombuffer(data, "<i8", count),
            dead=np.unpackbits(bits, count=count, bitorder="little").astype(bool),
            digests=data[digests_at:],
        )


def note_damage(folder: Path, manifest: RowsManifest) -> None:
    """Have these rows written anew by the next sync; without the right to write, `check` tells."""
    with suppress(OSError):
        write_json(folder / DAMAGE, {"build": manifest.build})


def is_damage_noted(folder: Path, manifest: RowsManifest) -> bool:
    """Whether a reader met damage in these rows."""
    return read_json(folder / DAMAGE) == {"build": manifest.build}


def block_rows(dimension: int) -> int:
    """Rows under one checksum."""
    return max(1, BLOCK_BYTES // (dimension * VECTOR_DTYPE.itemsize))


def remove_unnamed(folder: Path) -> None:
    """Delete row and map files that the manifest does not name, and codes over other rows.

    Only for the holder of the writer's lock. Codes over these rows are left to the builder, who may
    be about to name them.
    """
    rows = RowsManifest.read(folder)
    for path in folder.glob(OWNED):
        of_these = rows is not None and path.name.startswith(f"vectors-{rows.build}-")
        named = rows is not None and path.name in {rows.rows_file, rows.map_file}
        if not named and not (of_these and path.suffix == CODES_SUFFIX):
            _unlink(path)


def remove_other_codes(folder: Path, named: str | None) -> None:
    """Delete codes but those named, and what a killed build left; for the holder of its lock."""
    for path in (*folder.glob(f"vectors-*{CODES_SUFFIX}"), *folder.glob(UNFINISHED_CODES)):
        if path.name != named:
            _unlink(path)


def _unlink(path: Path) -> None:
    """Where a reader still maps the file, Windows refuses; a later run deletes it."""
    with suppress(OSError):
        path.unlink()
