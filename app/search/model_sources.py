"""Which name or folder gave which weights, so that a collection of a local model finds it again."""

import json
import os
from pathlib import Path
from typing import Any

from indexer.errors import ModelError


class ModelSources:
    """Kept in a file, which may be missing or damaged: it is a help."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def find(self, weights_sha256: str) -> str | None:
        """The name or folder that gave these weights; None if it is not known."""
        known = self._read().get(weights_sha256)
        return None if known is None else str(known)

    def remember(self, weights_sha256: str, name: str) -> None:
        """Record where these weights came from; a folder by its absolute path.

        Raises:
            ModelError: the file cannot be written.
        """
        source = str(Path(name).resolve()) if Path(name).is_dir() else name
        known = self._read()
        if known.get(weights_sha256) == source:
            return
        known[weights_sha256] = source
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(f".{os.getpid()}.tmp")
            draft.write_text(json.dumps(known, indent=2), encoding="utf-8")
            draft.replace(self._file)
        except OSError as error:
            raise ModelError(f"{self._file}: cannot be written: {error}") from None

    def _read(self) -> dict[str, Any]:
        try:
            known: Any = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}
