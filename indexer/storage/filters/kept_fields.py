"""Which chunk belongs to which document, kept in a file beside the catalog of a large collection.

To read it from the catalog takes a second and a half at a million chunks, and every process that
filters waits for it once. The file is written whole under one name, its sha256 in front, and may be
behind the catalog: what came and went since is read from there. Without it, or when it is damaged,
ahead, or of another collection, all is read from the catalog as before.

    32 bytes   sha256 of all that follows
    a line     JSON: format, collection, generation, count, last_id
    3 columns  chunk ids ascending, document ids, embedding ids: little-endian int64
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection

from indexer.storage import catalog
from indexer.storage.catalog import Head
from indexer.storage.filters.fields import FieldTable
from indexer.storage.manifest import write_bytes
from indexer.storage.tables import ChunkRow

FILE = "fields.bin"
_FORMAT = 1
_DIGEST_BYTES = 32
_HEADER_BYTES = 4_096  # at most
# Chunks to be read from the catalog that nobody minds: 20 ms. So many more and it is written anew.
_FEW = 20_000
_OLD = 500  # generations: well before the catalog forgets what was removed since


def read_fields(folder: Path, head: Head) -> FieldTable | None:
    """The table as it was kept, maybe behind `head`; None if there is none to trust."""
    found = _read(folder, head)
    return None if found is None else found[0]


def keep_fields(folder: Path, connection: Connection, head: Head) -> None:
    """Write the file, where it saves readers time and there is none, or an old one.

    Only for the holder of the writer's lock, in a transaction that stands at `head`.

    Raises:
        OSError: the disk is full or not writable; the old file stays.
    """
    last_id = catalog.next_id(connection, ChunkRow.__tablename__) - 1
    found = _read(folder, head)
    table, known = found or (FieldTable.empty(), 0)
    is_old = found is not None and head.generation - table.generation > _OLD
    if last_id - known > _FEW or is_old:
        table = table.caught_up(connection, head)
        write_bytes(folder / FILE, _to_bytes(table, head, last_id))
    elif found is None:
        (folder / FILE).unlink(missing_ok=True)  # damaged


def disown_if_ahead(folder: Path, head: Head) -> None:
    """Drop a file that is ahead of the catalog, as after restoring an old catalog from a backup.

    Once the catalog has grown past it again, ids would mean other chunks and nothing could tell.
    """
    try:
        with open(folder / FILE, "rb") as file:
            header = _header(file.read(_HEADER_BYTES))
    except OSError:
        return
    if header is None or not _fits(header, head):
        (folder / FILE).unlink()


def _read(folder: Path, head: Head) -> tuple[FieldTable, int] | None:
    """(the table, the highest chunk id that was given away when it was written)."""
    try:
        data = (folder / FILE).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(memoryview(data)[_DIGEST_BYTES:]).digest() != data[:_DIGEST_BYTES]:
        return None
    header = _header(data)
    if header is None or not _fits(header, head):
        return None
    start = data.index(b"\n", _DIGEST_BYTES) + 1
    columns = np.frombuffer(data, "<i8", offset=start).reshape(3, header["count"])
    return FieldTable(header["generation"], *columns), header["last_id"]


def _fits(header: dict[str, Any], head: Head) -> bool:
    return bool(header["collection"] == head.uuid and header["generation"] <= head.generation)


def _header(data: bytes) -> dict[str, Any] | None:
    line = data[_DIGEST_BYTES:_HEADER_BYTES].partition(b"\n")[0]
    try:
        header: dict[str, Any] = json.loads(line)
        known = header["format"] == _FORMAT
    except (ValueError, KeyError, TypeError):
        return None
    return header if known else None


def _to_bytes(table: FieldTable, head: Head, last_id: int) -> bytes:
    header = {
        "format": _FORMAT,
        "collection": head.uuid,
        "generation": table.generation,
        "count": len(table.chunks),
        "last_id": last_id,
    }
    columns = (table.chunks, table.documents_of, table.embeddings_of)
    content = json.dumps(header).encode() + b"\n"
    content += b"".join(column.astype("<i8").tobytes() for column in columns)
    return hashlib.sha256(content).digest() + content
