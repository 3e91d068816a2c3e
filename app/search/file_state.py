"""Whether a file on disk is still the one that was indexed."""

import os
from enum import StrEnum

from indexer.types import FileStamp


class FileState(StrEnum):
    """What size and modification time say; a file that was only touched counts as changed."""

    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"
    UNKNOWN = "unknown"  # we may not look


def file_state(stamp: FileStamp) -> FileState | None:
    """How the file is now; None for a document that did not come from a file."""
    if not os.path.isabs(stamp.path):
        return None
    try:
        now = os.stat(stamp.path)
    except (FileNotFoundError, NotADirectoryError):
        return FileState.MISSING
    except (OSError, ValueError):  # no name a file can have: a catalog may be hostile
        return FileState.UNKNOWN
    same = (now.st_size, now.st_mtime_ns) == (stamp.size_bytes, stamp.mtime_ns)
    return FileState.SAME if same else FileState.CHANGED
