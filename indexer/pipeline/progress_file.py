"""How far a run is, for other processes: a small file in the collection's folder.

It is only shown to people. Nothing depends on it, so it is neither synced nor locked: a reader
believes it while the process that wrote it holds the writer lock.
"""

import json
import math
import os
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from indexer.pipeline.report import Progress

FILE = "progress.json"
EVERY_S = 1.0


class ProgressFile:
    """Written at most once a second, gone when the run ends. A context manager."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # there never was one, or the next run replaces it
            self._path.unlink()

    def write(self, progress: Progress) -> None:
        """Show this moment, unless another one was shown just now."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_S
        draft = self._path.with_suffix(".tmp")
        with suppress(OSError):  # a run is not to fail because nobody can watch it
            draft.write_text(json.dumps({"pid": os.getpid(), **asdict(progress)}))
            os.replace(draft, self._path)


def read_progress(folder: Path, pid: int) -> Progress | None:
    """How far the run of this process is; None when it does not say."""
    try:
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if values.pop("pid") != pid:
            return None
        progress = Progress(**values)
        whole = all(math.isfinite(value) for value in values.values())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return progress if whole else None
