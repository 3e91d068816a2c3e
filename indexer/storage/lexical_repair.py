"""The lexical copy made whole again on a reader's behalf, when no writer is there to do it."""

from pathlib import Path

from sqlalchemy import exc

from indexer.errors import LockedError, StoreError
from indexer.storage import catalog
from indexer.storage.commit import CATALOG, LOCK
from indexer.storage.engine import open_writer_engine
from indexer.storage.lexical import LexicalWriter
from indexer.storage.lock import WriterLock


def repair_lexical(folder: Path) -> bool:
    """Bring the lexical copy up to date for a reader, unless a writer is at work or may not write.

    Returns:
        True when it was done.
    """
    try:
        lock = WriterLock(folder / LOCK)
    except (LockedError, StoreError, OSError):
        return False
    engine = open_writer_engine(folder / CATALOG)
    try:
        with engine.begin() as connection:
            LexicalWriter(folder).catch_up(connection, catalog.head(connection))
    except (StoreError, OSError, exc.DBAPIError):
        return False  # a full or read-only disk: the reader answers from what there is
    finally:
        engine.dispose()
        lock.release()
    return True
