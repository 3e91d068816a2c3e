"""The collections under the home folder: by name, opened once each."""

import os
import threading
from pathlib import Path

from app.settings import Settings
from indexer.errors import NotFoundError
from indexer.storage.collection import Collection

Identity = tuple[int, int]  # device and inode


class Collections:
    """Open collections by name. Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: dict[str, tuple[Identity, Collection]] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Names of all collections, sorted."""
        folder = self._settings.collections_folder
        return sorted(p.name for p in _subfolders(folder) if _identity(p) is not None)

    def folder(self, name: str) -> Path:
        """Where a collection of this name lies or would lie."""
        return self._settings.collection_folder(name)

    def get(self, name: str | None = None) -> Collection:
        """The collection of this name, or the default one.

        Raises:
            NotFoundError: there is none; the text names those there are.
        """
        name = self._settings.collection if name is None else name
        folder = self._settings.collection_folder(name)
        with self._lock:
            found, held = _identity(folder), self._open.get(name)
            if held is not None and held[0] == found:
                return held[1]
            if held is not None:
                # Deleted, and perhaps made anew: the open file is the old one's, and lives on.
                self._open.pop(name)[1].close()
            if found is None:
                raise self._not_found(name)
            opened = Collection.open(folder)
            self._open[name] = (found, opened)
            return opened

    def _not_found(self, name: str) -> NotFoundError:
        names = self.names()
        there = f"There are: {', '.join(names)}." if names else "There are none yet."
        return NotFoundError(
            f"There is no collection {name!r} under {self._settings.home}. {there} "
            f"Make it with `semsearch index FOLDER --collection {name}`."
        )

    def close(self) -> None:
        """Close all that were opened."""
        with self._lock:
            for _, collection in self._open.values():
                collection.close()
            self._open.clear()


def _identity(folder: Path) -> Identity | None:
    """Which catalog lies in the folder, None without one."""
    try:
        found = os.stat(folder / "catalog.sqlite3")
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _subfolders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
