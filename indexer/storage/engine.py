"""SQLite connections as we want them: WAL, full durability, nothing trusted from the file."""

import errno
import os
import shutil
import sqlite3
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, exc
from sqlalchemy.pool import QueuePool

from indexer.errors import CorruptError, StoreError

PAGE_SIZE = 8192  # benchmarks/store/page_size.py
_READERS = 64  # connections of a process at most, all kept; opened when there is none free
BUSY_TIMEOUT_S = 30.0  # writers are kept apart by the lock; this covers checkpoints and recovery
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def open_writer_engine(path: Path) -> Engine:
    """One connection that may write; transactions start with BEGIN IMMEDIATE. Creates the file."""

    def connect() -> sqlite3.Connection:
        connection = _connect(path, "rwc")
        # Must come before the first page is written; later it changes nothing.
        connection.execute(f"PRAGMA page_size={PAGE_SIZE}")
        connection.execute("PRAGMA journal_mode=WAL")
        # NORMAL keeps a WAL database consistent but may lose confirmed commits on power loss.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    return _engine(connect, "BEGIN IMMEDIATE", pool_size=1, max_overflow=0)


def open_reader_engine(path: Path) -> Engine:
    """Read-only connections, one per thread that asks; transactions see one snapshot."""

    def connect() -> sqlite3.Connection:
        connection = _connect_read_only(path)
        connection.execute("PRAGMA query_only=ON")
        return connection

    return _engine(connect, "BEGIN", pool_size=_READERS, max_overflow=0)


def _engine(
    connect: Callable[[], sqlite3.Connection], begin: str, pool_size: int, max_overflow: int
) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_use_lifo=True,  # the connection that was used last knows the most pages
    )
    # sqlite3's own transaction control starts none for SELECT: a snapshot needs an explicit BEGIN.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"file:{urllib.parse.quote(os.fsencode(path.absolute()))}?mode={mode}"
    connection = sqlite3.connect(
        uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA trusted_schema=OFF")
    return connection


def _connect_read_only(path: Path) -> sqlite3.Connection:
    connection = _connect(path, "ro")
    try:
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        return _connect_read_only_media(path)
    return connection


def _connect_read_only_media(path: Path) -> sqlite3.Connection:
    """A WAL database on read-only media: as is when the log is empty, else a private copy.

    `immutable=1` ignores the log, and a checkpoint cut short would then show half a state.
    """
    wal = path.with_name(path.name + "-wal")
    if not wal.exists() or wal.stat().st_size == 0:
        return _connect(path, "ro&immutable=1")
    with tempfile.TemporaryDirectory(prefix="semsearch-") as folder:
        for source in (path, wal):
            shutil.copyfile(source, Path(folder) / source.name)
        copy = _connect(Path(folder) / path.name, "rw")
        memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        copy.backup(memory)
        copy.close()
    return memory


@contextmanager
def store_errors(folder: Path) -> Iterator[None]:
    """Turn errors of the database and the file system into the project's, naming the folder.

    Raises:
        CorruptError: a page of the catalog is damaged.
        StoreError: anything else, for example a full disk.
    """
    try:
        yield
    except (exc.DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", 0) or 0
        if code & 0xFF in _CORRUPT:
            raise CorruptError(
                f"{folder}: the catalog is damaged ({cause}). Restore it from a backup, or delete "
                "the folder and run `semsearch index` again."
            ) from error
        raise StoreError(f"{folder}: {_next_step(code, cause)}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"{folder}: the disk is full. Nothing was lost: free some space and run again."
            ) from error
        raise StoreError(f"{folder}: {error.strerror or error} ({error.filename})") from error


def _next_step(code: int, cause: BaseException | None) -> str:
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return "the disk is full. Nothing was lost: free some space and run again."
    if code & 0xFF == sqlite3.SQLITE_READONLY:
        return f"cannot be written ({cause}). Check the permissions of the folder."
    return f"the catalog cannot be used ({cause})."
