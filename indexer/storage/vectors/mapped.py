"""Rows in a mapped file: read where they lie, each block hashed before it is first believed."""

import hashlib
import os
import threading
from pathlib import Path

import numpy as np

from indexer.errors import CorruptError
from indexer.storage.encoding import VECTOR_DTYPE
from indexer.storage.manifest import TrustedFiles
from indexer.storage.vectors.layout import (
    DIGEST_BYTES,
    ROWS_SIDECAR,
    RowMap,
    RowsManifest,
    block_rows,
    note_damage,
)
from indexer.storage.vectors.library import Ids, Rows

# A file up to this size is hashed whole when it is opened: 60 ms, and no later surprise.
WHOLE_CHECK_BYTES = 64 << 20
_CHECK_AFTER_S = 2.5  # a file that young would not be trusted again


class DamagedRowsError(CorruptError):
    """Rows on disk are not what was written; never leaves the storage."""


class MappedRows:
    """The rows of a manifest. Safe to use from several threads."""

    def __init__(self, folder: Path, manifest: RowsManifest, row_map: RowMap) -> None:
        """Map the file.

        Raises:
            OSError: missing.
            DamagedRowsError: shorter than it should be, or damaged as far as was looked.
        """
        self._folder, self._manifest = folder, manifest
        self._path = folder / manifest.rows_file
        self._digests = row_map.digests
        self._block_rows = block_rows(manifest.dimension)
        shape = (manifest.count, manifest.dimension)
        self.rows: Rows = np.empty(shape, VECTOR_DTYPE)
        if manifest.count:
            try:
                self.rows = np.memmap(self._path, VECTOR_DTYPE, "r", shape=shape)
            except ValueError as error:  # shorter than asked for
                raise self._damaged() from error
        blocks = -(-manifest.count // self._block_rows)
        if len(self._digests) != blocks * DIGEST_BYTES:
            raise self._damaged()
        self._checked = np.zeros(blocks, np.bool_)
        self._checking = threading.Lock()
        self._trust()

    def _trust(self) -> None:
        """Take the whole file as checked if it did not change since that was done, or is small."""
        with open(self._path, "rb") as file:
            trusted = TrustedFiles(self._folder / ROWS_SIDECAR)
            if trusted.knows(file, self._manifest.rows_file, self._seal()):
                self._checked[:] = True
                return
        if self._manifest.rows_bytes <= WHOLE_CHECK_BYTES:
            self.check_all()
            self.remember_checked()

    def _seal(self) -> str:
        return hashlib.sha256(self._digests).hexdigest()

    def remember_checked(self) -> None:
        """Have later readers trust the file as long as it does not change; all of it was checked.

        The file may have been appended to since; then it counts as changed.
        """
        trusted = TrustedFiles(self._folder / ROWS_SIDECAR)
        name = self._manifest.rows_file
        with open(self._path, "rb") as file:
            if os.fstat(file.fileno()).st_size == self._manifest.rows_bytes:
                trusted.remember(file, name, self._seal())
        trusted.save({name})

    def check_in_background(self) -> None:
        """Look at the whole file a little later, once: after that no search pays for it.

        A file that was appended to counts as changed, and a search over a million rows then hashes
        10 MB of them (10 ms). Processes that only ask one question are gone before it starts.
        """
        if not self.is_checked:
            timer = threading.Timer(_CHECK_AFTER_S, self._check_quietly)
            timer.daemon = True
            timer.start()

    def _check_quietly(self) -> None:
        try:
            self.check_all()
            self.remember_checked()
        except DamagedRowsError:
            note_damage(self._folder, self._manifest)  # a search that needs the block will say so
        except OSError:
            pass  # the file is gone, and with it the need

    @property
    def is_checked(self) -> bool:
        """True once every row was found whole."""
        return bool(self._checked.all())

    def check(self, positions: Ids) -> None:
        """Hash the blocks in which these rows lie, unless that was done.

        Raises:
            DamagedRowsError: one of them is not what was written.
        """
        blocks = np.unique(positions // self._block_rows)
        for block in blocks[~self._checked[blocks]]:
            self._check_block(int(block))

    def check_all(self) -> None:
        """Hash every block that was not yet: 1 GB/s.

        Raises:
            DamagedRowsError: one of them is not what was written.
        """
        with self._checking:  # several threads at once would only do the same work
            for block in np.flatnonzero(~self._checked):
                self._check_block(int(block))

    def check_every_block(self) -> None:
        """Hash all of the file, whatever is believed of it.

        Raises:
            DamagedRowsError: a block is not what was written.
        """
        self._checked[:] = False
        self.check_all()

    def _check_block(self, block: int) -> None:
        start = block * self._block_rows
        digest = hashlib.sha256(self.rows[start : start + self._block_rows].data).digest()
        if digest != self._digests[block * DIGEST_BYTES : (block + 1) * DIGEST_BYTES]:
            raise self._damaged()
        self._checked[block] = True

    def _damaged(self) -> DamagedRowsError:
        return DamagedRowsError(f"{self._path}: damaged; it is made again from the catalog.")
