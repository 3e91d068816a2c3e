"""Bring a collection of an older semsearch to today's schema before anything reads it."""

from pathlib import Path

from indexer.storage.commit import CATALOG, LOCK
from indexer.storage.engine import open_reader_engine, open_writer_engine, store_errors
from indexer.storage.lock import WriterLock
from indexer.storage.migrate import check_revision, migrate
from indexer.storage.tables import REVISIONS


def upgrade(folder: Path) -> None:
    """Upgrade the schema if it is older; nothing to do for a new folder or today's schema.

    Raises:
        LockedError: the schema is older and a writer is at work.
        TooNewError: a newer semsearch wrote it.
        CorruptError: the catalog is damaged.
    """
    if not (folder / CATALOG).is_file():
        return
    with store_errors(folder):
        reader = open_reader_engine(folder / CATALOG)
        try:
            with reader.begin() as connection:
                revision = check_revision(connection, folder)
        finally:
            reader.dispose()
        if revision in (None, REVISIONS[-1]):
            return
        lock = WriterLock(folder / LOCK)
        engine = open_writer_engine(folder / CATALOG)
        try:
            with engine.begin() as connection:
                migrate(connection, folder)
        finally:
            engine.dispose()
            lock.release()
