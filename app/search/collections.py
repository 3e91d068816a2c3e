"""The collections under the home folder: by name, opened once each."""

import threading
from pathlib import Path

from app.settings import Settings
from indexer.errors import NotFoundError
from indexer.storage.collection import Collection


class Collections:
    """Open collections by name. Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: dict[str, Collection] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Names of all collections, sorted."""
        folder = self._settings.collections_folder
        return sorted(p.name for p in _subfolders(folder) if (p / "catalog.sqlite3").is_file())

    def folder(self, name: str) -> Path:
        """Where a collection of this name lies or would lie."""
        return self._settings.collection_folder(name)

    def get(self, name: str | None = None) -> Collection:
        """The collection of this name, or the default one.

        Raises:
            NotFoundError: there is none; the text names those there are.
        """
        name = self._settings.collection if name is None else name
        with self._lock:
            if name not in self._open:
                self._open[name] = self._open_collection(name)
            return self._open[name]

    def _open_collection(self, name: str) -> Collection:
        folder = self._settings.collection_folder(name)
        if not (folder / "catalog.sqlite3").is_file():
            names = self.names()
            there = f"There are: {', '.join(names)}." if names else "There are none yet."
            raise NotFoundError(
                f"There is no collection {name!r} under {self._settings.home}. {there} "
                f"Make it with `semsearch index FOLDER --collection {name}`."
            )
        return Collection.open(folder)

    def close(self) -> None:
        """Close all that were opened."""
        with self._lock:
            for collection in self._open.values():
                collection.close()
            self._open.clear()


def _subfolders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
