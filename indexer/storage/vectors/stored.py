"""The files of a collection's vectors, opened and checked; or None, and they are made again."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from indexer.storage.catalog import Head
from indexer.storage.manifest import TrustedFiles
from indexer.storage.vectors.certificate import Certificate
from indexer.storage.vectors.codes import Codes
from indexer.storage.vectors.index_manifest import IndexManifest
from indexer.storage.vectors.layout import CODES_SIDECAR, RowMap, RowsManifest
from indexer.storage.vectors.library import Ids, Mask
from indexer.storage.vectors.mapped import DamagedRowsError, MappedRows


@dataclass(frozen=True, slots=True)
class Coded:
    """Codes with what was measured of them."""

    codes: Codes
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Stored:
    """Vectors on disk at the generation of their manifest."""

    manifest: RowsManifest
    ids: Ids
    dead: Mask
    rows: MappedRows
    coded: Coded | None

    @property
    def certificate(self) -> Certificate | None:
        """What the codes were measured to find; None without codes."""
        return None if self.coded is None else self.coded.certificate

    @property
    def covered(self) -> int:
        """Rows that have codes, from the first on."""
        return 0 if self.coded is None else self.coded.codes.covered


def open_stored(folder: Path, head: Head) -> Stored | None:
    """What lies there, maybe behind `head`; None if missing, damaged, ahead or not this one's."""
    for _ in range(3):  # a writer may replace the files between our reads
        manifest = RowsManifest.read(folder)
        if manifest is None or not manifest.fits(head):
            return None
        try:
            return _open(folder, manifest)
        except (OSError, ValueError, DamagedRowsError):
            if RowsManifest.read(folder) == manifest:
                return None
    return None


def _open(folder: Path, manifest: RowsManifest) -> Stored:
    row_map = read_map(folder, manifest)
    rows = MappedRows(folder, manifest, row_map)
    return Stored(manifest, row_map.ids, row_map.dead, rows, open_coded(folder, manifest))


def read_map(folder: Path, manifest: RowsManifest) -> RowMap:
    """What the rows are.

    Raises:
        OSError, ValueError: missing, or not what was written.
    """
    data = (folder / manifest.map_file).read_bytes()
    if hashlib.sha256(data).hexdigest() != manifest.map_sha256:
        raise ValueError(f"{manifest.map_file}: damaged")
    row_map = RowMap.from_bytes(data, manifest.count)
    if manifest.count and not (np.diff(row_map.ids) > 0).all():
        raise ValueError(f"{manifest.map_file}: ids do not ascend")
    return row_map


def open_coded(folder: Path, manifest: RowsManifest, *, growable: bool = False) -> Coded | None:
    """The codes over these rows; None if there are none to trust: then the rows are searched.

    `growable` ones lie in memory, and rows can be added to them.
    """
    named = IndexManifest.read(folder, manifest)
    if named is None:
        return None
    try:
        codes = _read_codes(folder, named, growable)
    except (OSError, ValueError, RuntimeError):
        return None
    if codes is None or (codes.dimension, codes.covered) != (named.coded_dimension, named.covered):
        return None
    return Coded(codes, named.certificate)


def is_whole(folder: Path, named: IndexManifest) -> bool:
    """Whether the codes that the manifest names are there and undamaged."""
    try:
        with open(folder / named.codes, "rb") as file:
            return _check(folder, file, named)
    except OSError:
        return False


def _read_codes(folder: Path, named: IndexManifest, growable: bool) -> Codes | None:
    path = folder / named.codes
    with open(path, "rb") as file:
        return Codes.read(file, path, growable=growable) if _check(folder, file, named) else None


def _check(folder: Path, file: BinaryIO, named: IndexManifest) -> bool:
    trusted = TrustedFiles(folder / CODES_SIDECAR)
    whole = trusted.check(file, named.codes, named.sha256)
    trusted.save({named.codes})
    return whole
