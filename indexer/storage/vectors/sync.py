"""Keeps the rows on disk at the catalog's generation: appends, marks the dead, drops them at times.

Only for the holder of the writer's lock. Codes over the rows are made by `build`.
"""

from pathlib import Path

import numpy as np
from sqlalchemy import Connection, select

from indexer.storage import catalog
from indexer.storage.catalog import Head
from indexer.storage.tables import EmbeddingRow
from indexer.storage.vectors.append import RowAppender
from indexer.storage.vectors.choice import is_worth_compacting
from indexer.storage.vectors.index import read_rows
from indexer.storage.vectors.index_manifest import IndexManifest
from indexer.storage.vectors.layout import (
    DAMAGE,
    MANIFEST,
    RowMap,
    RowsManifest,
    is_damage_noted,
    remove_unnamed,
)
from indexer.storage.vectors.library import Ids
from indexer.storage.vectors.mapped import DamagedRowsError, MappedRows
from indexer.storage.vectors.stored import read_map

_OLD_FILE = "vectors.faiss"  # of the first format


def sync_vectors(folder: Path, connection: Connection, head: Head) -> None:
    """Bring the rows on disk to `head`.

    Raises:
        OSError: disk full or not writable; the old state stays.
    """
    state = _usable(folder, head)
    if state is not None and state[0].generation == head.generation:
        return
    gone = np.empty(0, np.int64)
    if state is not None:
        gone = _gone(connection, head, *state)
        dead = int(np.count_nonzero(state[1].dead)) + int(np.isin(state[1].ids, gone).sum())
        has_codes = IndexManifest.read(folder, state[0]) is not None
        if is_worth_compacting(dead, state[0].count, has_codes):
            state, gone = None, np.empty(0, np.int64)
    appender = RowAppender(folder, *state) if state else RowAppender.new(folder, head)
    with appender:
        for ids, rows in read_rows(connection, appender.last_id, head.contract.dimension):
            appender.add(ids, rows)
        appender.finish(head.generation, gone)
    remove_unnamed(folder)
    for name in (DAMAGE, _OLD_FILE):
        (folder / name).unlink(missing_ok=True)


def _usable(folder: Path, head: Head) -> tuple[RowsManifest, RowMap] | None:
    """What is on disk, if it can be built upon: the file is whole, or at least long enough.

    Small files are hashed, large ones are not read again for every few rows that are appended:
    a reader that meets damage there has noted it.
    """
    manifest = RowsManifest.read(folder)
    if manifest is None or not manifest.fits(head) or is_damage_noted(folder, manifest):
        return None
    try:
        row_map = read_map(folder, manifest)
        MappedRows(folder, manifest, row_map)
    except (OSError, ValueError, DamagedRowsError):
        return None
    return manifest, row_map


def _gone(connection: Connection, head: Head, manifest: RowsManifest, row_map: RowMap) -> Ids:
    """Ids on disk that are no longer in the catalog."""
    if manifest.generation >= head.removals_from:
        removed = catalog.removals_since(connection, manifest.generation)
        return np.array(sorted({i for step in removed for i in step.embedding_ids}), np.int64)
    query = select(EmbeddingRow.id).where(EmbeddingRow.id <= manifest.last_id)
    live = np.fromiter(connection.scalars(query), dtype=np.int64)
    return np.setdiff1d(row_map.ids[~row_map.dead], live)


def disown_if_ahead(folder: Path, head: Head) -> None:
    """Drop rows that are ahead of the catalog, as after restoring an old catalog from a backup.

    Once the catalog has grown past them again, ids would mean other texts and nothing could tell.
    """
    manifest = RowsManifest.read(folder)
    if manifest is not None and not manifest.fits(head):
        (folder / MANIFEST).unlink()
