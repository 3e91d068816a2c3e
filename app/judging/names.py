"""Names of documents that outlive ids: what a judgement calls a document.

Ids change when a collection is embedded anew, so judgements name documents by where they lie: the
last part of the root's path and the path below it, then `#` and the member. All bytes that are not
plain ASCII letters, digits or `_.-~/` are percent-encoded, so a name holds no white space, any tool
for TREC files reads it, and two documents never share one.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Protocol
from urllib.parse import quote

from indexer.storage.documents import DocumentSummary
from indexer.storage.snapshot import Snapshot

_PAGE = 1_000
_SEPARATOR = os.sep.encode()


class Located(Protocol):
    """What lies in a file: a chunk or a document."""

    @property
    def path(self) -> bytes:
        """os.fsencode of the absolute path."""
        ...

    @property
    def member(self) -> str:
        """The id inside the file, "" for the whole file."""
        ...


def document_name(of: Located, roots: Sequence[bytes]) -> str:
    """The document's name in judgements, the same whatever its ids.

    Below the outermost root that holds it, `notes/2024/plan.md` for the root `/home/ada/notes`, so
    that moving the whole folder or indexing a part of it again changes nothing. A document under
    no root, or under one whose last part another root has too, is named by its whole path.
    """
    name = quote(_below_root(of.path, roots), safe="/")
    if not of.member:
        return name
    # A member may be any string that JSON can hold, half a surrogate pair included.
    return f"{name}#{quote(of.member.encode('utf-8', 'surrogatepass'), safe='/')}"


def document_names(now: Snapshot) -> Iterator[tuple[str, DocumentSummary]]:
    """(name, document) of every document of the collection, by id."""
    roots, after = now.roots(), 0
    while page := now.documents(after=after, limit=_PAGE):
        yield from ((document_name(document, roots), document) for document in page)
        after = page[-1].id


def _below_root(path: bytes, roots: Sequence[bytes]) -> bytes:
    holding = [root for root in roots if path == root or path.startswith(_as_folder(root))]
    if not holding:
        return path
    root = min(holding, key=len)
    label = _last_part(root)
    if not label or any(_last_part(other) == label for other in roots if other != root):
        return path
    return label + path[len(root.rstrip(_SEPARATOR)) :]


def _as_folder(root: bytes) -> bytes:
    return root.rstrip(_SEPARATOR) + _SEPARATOR


def _last_part(root: bytes) -> bytes:
    return root.rstrip(_SEPARATOR).rpartition(_SEPARATOR)[2]
