"""Paths as people see them, and the names of documents that lie in no file."""

import os
import unicodedata

from indexer.errors import UsageError

# Before the id of an uploaded document. No absolute path starts so, and none is beneath it, while
# all that goes by folders (listing, forgetting, globs) goes by the slashes of ids as well.
UPLOADED = b"api:/"
MAX_ID_CHARS = 512
# Control characters, halves of surrogate pairs, line and paragraph separators.
_UNPRINTABLE = frozenset(["Cc", "Cs", "Zl", "Zp"])


def display_path(path: bytes) -> str:
    r"""A path fit for JSON and terminals: bytes that are not UTF-8 appear as \xNN."""
    return path.decode("utf-8", "backslashreplace")


def upload_path(upload_id: str) -> bytes:
    """What stands in place of a path for an uploaded document; no file is ever looked for by it.

    Raises:
        UsageError: no id: empty, too long, or with characters that cannot be shown.
    """
    if not 1 <= len(upload_id) <= MAX_ID_CHARS:
        raise UsageError(
            f"An id of {len(upload_id):,} characters; give one of 1 to {MAX_ID_CHARS}."
        )
    for character in upload_id:
        if unicodedata.category(character) in _UNPRINTABLE:
            raise UsageError(
                f"The id {upload_id[:80]!r} holds the character U+{ord(character):04X}, which "
                "cannot be shown. Leave it out."
            )
    return UPLOADED + upload_id.encode()


def upload_id(path: bytes) -> str | None:
    """The id of an uploaded document; None for the path of a file."""
    if not path.startswith(UPLOADED):
        return None
    return path[len(UPLOADED) :].decode("utf-8", "replace")


def searched_name(path: bytes) -> str:
    """The name by which a document is found: an upload's whole id, a file's without its ending."""
    uploaded = upload_id(path)
    if uploaded is not None:
        return uploaded
    return os.path.splitext(os.path.basename(path))[0].decode("utf-8", "replace")
