"""The newest lexical copy, opened once for all threads of a reader; an opened one never changes."""

import threading
import time
from pathlib import Path

from sqlalchemy import Connection

from indexer.storage import catalog
from indexer.storage.catalog import Head
from indexer.storage.lexical import MANIFEST
from indexer.storage.lexical_reader import LexicalSnapshot, open_snapshot
from indexer.storage.lexical_repair import repair_lexical
from indexer.storage.manifest import path_identity

_REPAIR_PAUSE_S = 1.0  # between attempts to bring a copy forward that no writer looks after


class SharedLexical:
    """Follows the manifest on disk; mends the copy itself when a killed writer left it behind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._seen: tuple[str, object] | None = None
        self._snapshot: LexicalSnapshot | None = None
        self._repair_after = 0.0
        self._languages: tuple[tuple[str, int], frozenset[str]] | None = None

    @property
    def is_loaded(self) -> bool:
        """True once somebody asked for words."""
        return self._seen is not None

    def at(self, head: Head) -> LexicalSnapshot | None:
        """The newest copy, maybe behind or ahead of `head`; None when there is none to trust."""
        with self._lock:
            self._follow(head)
            behind = self._snapshot is None or self._snapshot.generation < head.generation
            if behind and head.generation and time.monotonic() >= self._repair_after:
                if repair_lexical(self._folder):
                    self._follow(head)
                self._repair_after = time.monotonic() + _REPAIR_PAUSE_S
            return self._snapshot

    def _follow(self, head: Head) -> None:
        seen = (head.uuid, path_identity(self._folder / MANIFEST))
        if seen != self._seen:
            self._snapshot = open_snapshot(self._folder, head)
            self._seen = seen

    def languages(self, connection: Connection, head: Head) -> frozenset[str]:
        """Stemmers in use at `head`."""
        key = (head.uuid, head.generation)
        known = self._languages
        if known is None or known[0] != key:
            known = (key, catalog.languages(connection))
            self._languages = known
        return known[1]
