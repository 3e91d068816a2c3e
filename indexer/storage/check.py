"""Reads everything and says what is wrong: for `semsearch check` and for the crash tests."""

from pathlib import Path

from sqlalchemy import Connection, func, select, text

from indexer.errors import NotFoundError
from indexer.storage import catalog, lexical
from indexer.storage.commit import CATALOG
from indexer.storage.engine import open_reader_engine, store_errors
from indexer.storage.filters.fields import FieldTable
from indexer.storage.filters.kept_fields import FILE as FIELDS
from indexer.storage.filters.kept_fields import read_fields
from indexer.storage.lexical_reader import open_snapshot
from indexer.storage.manifest import sha256_of
from indexer.storage.tables import ChunkRow, DocumentRow, EmbeddingRow, FileRow
from indexer.storage.vectors.index import VectorIndex
from indexer.storage.vectors.index_manifest import IndexManifest
from indexer.storage.vectors.mapped import DamagedRowsError
from indexer.storage.vectors.stored import Stored, open_stored


def check(folder: Path) -> list[str]:
    """What is wrong with the catalog or its copies, one sentence each; empty when all is well.

    A copy that is missing or behind is reported: the next `Writer.sync` mends it.

    Raises:
        NotFoundError: there is no collection in the folder.
        CorruptError: the catalog is too damaged to be read.
    """
    if not (folder / CATALOG).is_file():
        raise NotFoundError(f"{folder}: no collection here.")
    engine = open_reader_engine(folder / CATALOG)
    try:
        with store_errors(folder), engine.begin() as connection:
            head = catalog.head(connection)
            problems = _check_catalog(connection)
            problems += _check_vectors(folder, connection, head)
            problems += _check_fields(folder, connection, head)
            return problems + _check_lexical(folder, connection, head)
    finally:
        engine.dispose()


def _check_catalog(connection: Connection) -> list[str]:
    problems = [
        f"catalog: {row[0]}"
        for row in connection.execute(text("PRAGMA integrity_check"))
        if row[0] != "ok"
    ]
    for row in connection.execute(text("PRAGMA foreign_key_check")):
        problems.append(f"catalog: {row[0]} {row[1]} refers to a missing row of {row[2]}")
    unused = select(func.count()).where(
        ~select(ChunkRow.id).where(ChunkRow.embedding_id == EmbeddingRow.id).exists()
    )
    if count := connection.scalar(unused.select_from(EmbeddingRow)):
        problems.append(f"catalog: {count} vectors belong to no chunk")
    parked = select(func.count()).select_from(FileRow).where(FileRow.path < b"\x01")
    if count := connection.scalar(parked):
        problems.append(f"catalog: {count} files have no path")
    lost = select(func.count()).where(
        ~select(FileRow.id).where(FileRow.id == DocumentRow.file_id).exists()
    )
    if count := connection.scalar(lost.select_from(DocumentRow)):
        problems.append(f"catalog: {count} documents belong to no file")
    return problems


def _check_vectors(folder: Path, connection: Connection, head: catalog.Head) -> list[str]:
    stored = open_stored(folder, head)
    try:
        if stored is None:
            return ["vectors: the copy is missing or damaged"]
        stored.rows.check_every_block()
    except DamagedRowsError:
        return ["vectors: the copy is damaged, though its times say it did not change"]
    manifest = stored.manifest
    if manifest.generation != head.generation:
        return [f"vectors: the copy is at generation {manifest.generation} of {head.generation}"]
    ids = VectorIndex.of(stored).ids()
    if set(ids.tolist()) != set(connection.scalars(select(EmbeddingRow.id))):
        return ["vectors: the copy holds other ids than the catalog"]
    return _check_codes(folder, stored)


def _check_codes(folder: Path, stored: Stored) -> list[str]:
    named = IndexManifest.read(folder, stored.manifest)
    if named is None:
        return []  # none, or of other rows
    if stored.coded is None:
        return ["vectors: the codes are missing or damaged; searches are exact until the next run"]
    with open(folder / named.codes, "rb") as file:
        if sha256_of(file) != named.sha256:
            return ["vectors: the codes are damaged, though their times say they did not change"]
    return []


def _check_fields(folder: Path, connection: Connection, head: catalog.Head) -> list[str]:
    kept = read_fields(folder, head)
    if kept is None:  # small collections have none
        return ["fields: the copy is damaged"] if (folder / FIELDS).exists() else []
    kept = kept.caught_up(connection, head)
    if not kept.is_same(FieldTable.empty().caught_up(connection, head)):
        return ["fields: the copy holds other ids than the catalog"]
    return []


def _check_lexical(folder: Path, connection: Connection, head: catalog.Head) -> list[str]:
    manifest = lexical.read_manifest(folder, head)
    snapshot = open_snapshot(folder, head)
    if manifest is None or snapshot is None:
        return ["lexical: the copy is missing or damaged"]
    for name, sha256 in manifest["files"].items():
        with open(folder / lexical.FOLDER / name, "rb") as file:
            if sha256_of(file) != sha256:
                return [f"lexical: {name} is damaged, though its times say it did not change"]
    if snapshot.generation != head.generation:
        return [f"lexical: the copy is at generation {snapshot.generation} of {head.generation}"]
    if snapshot.ids() != sorted(connection.scalars(select(ChunkRow.id))):
        return ["lexical: the copy holds other ids than the catalog"]
    return []
