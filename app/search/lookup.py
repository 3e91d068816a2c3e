"""Documents by the names that people and agents give them: `#12`, a path, or the end of one."""

import os
import re

from indexer.errors import NotFoundError, QueryError
from indexer.paths import display_path
from indexer.storage.documents import DocumentSummary
from indexer.storage.snapshot import Snapshot

_LARGEST_ID = 2**63 - 1  # of SQLite: a larger number is no id, and must not reach the driver
_SHOWN = 5  # names in a message
_MEMBERS = 1_000  # of one file that are looked through


def find_document(now: Snapshot, name: str) -> int:
    """The id of the document that this name stands for; an id is taken at its word.

    `#12` is an id; anything else the path of its file or the end of that path, from a folder's name
    on, and `path#member` a document inside a file of many.

    Raises:
        NotFoundError: there is none.
        QueryError: there are several; names them.
    """
    if by_id := re.fullmatch(r"#([0-9]{1,19})", name):
        return min(int(by_id[1]), _LARGEST_ID)
    found = now.named_documents(_encoded(name), _MEMBERS)
    if not found:
        path, mark, member = name.rpartition("#")
        inside = now.named_documents(_encoded(path), _MEMBERS) if mark and path else []
        found = [document for document in inside if document.member == member]
    if not found:
        raise NotFoundError(
            f"No document is named {name!r}. Give the docid of a result (#12), a path, or the end "
            "of one from a folder's name on."
        )
    if len(found) > 1:
        names = ", ".join(f"#{one.id} {_shown(one)}" for one in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        raise QueryError(f"{name!r} may be any of {names}{more}. Give the docid of one.")
    return found[0].id


def _encoded(name: str) -> bytes:
    r"""As `os.fsencode`, for any string; `\xNN`, as other bytes are shown, is that byte."""
    raw = name.encode("utf-8", "surrogateescape" if _is_escaped(name) else "surrogatepass")
    return re.sub(rb"\\x([89a-f][0-9a-f])", lambda byte: bytes([int(byte[1], 16)]), raw)


def _is_escaped(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def _shown(document: DocumentSummary) -> str:
    path = display_path(document.path)
    return f"{path}#{document.member}" if document.member else path
