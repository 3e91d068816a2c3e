"""Delete a whole collection."""

import os
import shutil
from pathlib import Path

from indexer.errors import NotFoundError, StoreError
from indexer.storage.commit import CATALOG, LOCK
from indexer.storage.lock import WriterLock


def delete_collection(folder: Path) -> None:
    """Delete the collection's folder, while no one writes to it.

    It leaves its name first, in one step: a kill in between leaves a folder that is no collection
    rather than half of one.

    Raises:
        NotFoundError: there is no collection in the folder.
        LockedError: another process is writing to it.
        StoreError: the folder cannot be moved or deleted.
    """
    if not (folder / CATALOG).is_file():
        raise NotFoundError(f"{folder}: no collection here, so nothing was deleted.")
    lock = WriterLock(folder / LOCK)
    doomed = folder.with_name(f".deleted-{folder.name}-{os.getpid()}")
    try:
        if os.name == "nt":
            lock.release()  # Windows moves no folder that holds an open file
        folder.rename(doomed)
        lock.release()
        shutil.rmtree(doomed)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be deleted: {error}") from error
    finally:
        lock.release()
