"""Adds rows at the end of the row file; nothing counts before the manifest is replaced."""

import hashlib
import os
import secrets
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from indexer.storage.catalog import Head
from indexer.storage.manifest import sync_folder, write_bytes
from indexer.storage.vectors.layout import DIGEST_BYTES, RowMap, RowsManifest, block_rows
from indexer.storage.vectors.library import Ids, Mask, Rows


class RowAppender:
    """Grows the rows of a manifest, or starts a new file. Only for the holder of the lock."""

    def __init__(self, folder: Path, manifest: RowsManifest, row_map: RowMap) -> None:
        self._folder = folder
        self._manifest = manifest
        self._dead = row_map.dead
        self._ids = [row_map.ids]
        self._block_bytes = block_rows(manifest.dimension) * manifest.dimension * 2
        whole_blocks, rest = divmod(manifest.rows_bytes, self._block_bytes)
        self._digests = bytearray(row_map.digests[: whole_blocks * DIGEST_BYTES])
        path = folder / manifest.rows_file
        self._file = open(path, "r+b" if manifest.count else "w+b")  # noqa: SIM115
        if self._file.seek(0, os.SEEK_END) > manifest.rows_bytes:
            self._file.truncate(manifest.rows_bytes)  # what a killed writer left behind it
        self._file.seek(manifest.rows_bytes - rest)
        self._block = hashlib.sha256(self._file.read(rest))
        self._in_block = rest

    @classmethod
    def new(cls, folder: Path, head: Head) -> Self:
        """An empty file of a new build."""
        manifest = RowsManifest(
            collection=head.uuid,
            contract=head.contract.fingerprint,
            dimension=head.contract.dimension,
            generation=0,
            last_id=0,
            count=0,
            dead=0,
            build=secrets.token_hex(6),
            map_generation=0,
            map_sha256="",
        )
        return cls(folder, manifest, RowMap(np.empty(0, np.int64), np.empty(0, np.bool_), b""))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def last_id(self) -> int:
        """The highest id that is here."""
        return self._manifest.last_id

    def add(self, ids: Ids, rows: Rows) -> None:
        """Append; ids ascend and are above `last_id`."""
        data = rows.tobytes()
        self._file.write(data)
        for start in self._cuts(len(data)):
            part = data[start : start + self._block_bytes - self._in_block]
            self._block.update(part)
            self._in_block += len(part)
            if self._in_block == self._block_bytes:
                self._close_block()
        self._ids.append(ids)
        self._manifest = replace(
            self._manifest, last_id=int(ids[-1]), count=self._manifest.count + len(ids)
        )

    def _cuts(self, size: int) -> list[int]:
        """Where blocks begin in the next `size` bytes."""
        return [0, *range(self._block_bytes - self._in_block, size, self._block_bytes)]

    def _close_block(self) -> None:
        self._digests += self._block.digest()
        self._block, self._in_block = hashlib.sha256(), 0

    def finish(self, generation: int, gone: Ids) -> RowsManifest:
        """Make it durable and the truth: rows first, then the map, then the manifest.

        Args:
            generation: of the catalog, which these rows follow now.
            gone: ids that died, ascending; those that are not here do not matter.

        Raises:
            OSError: disk full or not writable; the old state stays.
        """
        dead = self._marked(gone)
        if not self._added and self._manifest.map_sha256 and (dead == self._dead).all():
            manifest = replace(self._manifest, generation=generation)
            manifest.write(self._folder)
            return manifest
        self._file.flush()
        os.fsync(self._file.fileno())
        sync_folder(self._folder)
        digests = bytes(self._digests) + (self._block.digest() if self._in_block else b"")
        data = RowMap(np.concatenate(self._ids), dead, digests).to_bytes()
        manifest = replace(
            self._manifest,
            generation=generation,
            dead=int(np.count_nonzero(dead)),
            map_generation=generation,
            map_sha256=hashlib.sha256(data).hexdigest(),
        )
        write_bytes(self._folder / manifest.map_file, data)
        manifest.write(self._folder)
        return manifest

    @property
    def _added(self) -> int:
        return sum(len(ids) for ids in self._ids[1:])

    def _marked(self, gone: Ids) -> Mask:
        """Which rows are dead once these ids are."""
        dead = np.concatenate([self._dead, np.zeros(self._added, np.bool_)])
        marked: Mask = dead | np.isin(np.concatenate(self._ids), gone, assume_unique=True)
        return marked
