"""Where the next page starts: by what was shown, not by a count.

A commit between two pages moves hits up and down. So a cursor names the documents already shown:
whatever happened since, none of them comes twice, and none that was there all along is left out.
It is bound to its query by a digest, and holds nothing that its holder has not seen.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.search.query import MAX_K, Query
from indexer.errors import QueryError

MAX_CURSOR_CHARS = 65_536  # a thousand ids of the greatest length, and some
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Shown:
    """Documents of earlier pages: {collection: their ids}."""

    documents: Mapping[str, frozenset[int]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Of all collections."""
        return sum(map(len, self.documents.values()))

    def of(self, collection: str) -> frozenset[int]:
        """Documents of one collection."""
        return self.documents.get(collection, frozenset())

    def and_these(self, hits: Iterable[tuple[str, int]]) -> "Shown":
        """With the (collection, document id) of one more page."""
        documents = {name: set(ids) for name, ids in self.documents.items()}
        for name, document_id in hits:
            documents.setdefault(name, set()).add(document_id)
        return Shown({name: frozenset(ids) for name, ids in documents.items()})


def write_cursor(query: Query, collections: Iterable[str], shown: Shown) -> str | None:
    """The cursor of the page after these; None when no query goes further."""
    if shown.count >= MAX_K:
        return None
    documents = {name: sorted(ids) for name, ids in sorted(shown.documents.items())}
    content = json.dumps({"of": _digest(query, collections), "shown": documents})
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def read_cursor(query: Query, collections: Iterable[str]) -> Shown:
    """What the query's cursor says was shown; nothing without one.

    Raises:
        QueryError: it is damaged, or belongs to another query.
    """
    if query.cursor is None:
        return Shown()
    content = _decoded(query.cursor)
    try:
        of, documents = content["of"], content["shown"]
        shown = Shown({str(name): frozenset(map(_id, ids)) for name, ids in documents.items()})
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _damaged() from None
    if shown.count > MAX_K:
        raise _damaged()
    if of != _digest(query, collections):
        raise QueryError(
            "The cursor belongs to another query. Repeat the query, mode, filter, instruction and "
            "collections that it came with, or leave it out for the first page."
        )
    return shown


def _decoded(cursor: str) -> Any:
    if len(cursor) > MAX_CURSOR_CHARS:
        raise _damaged()
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _damaged() from None


def _id(value: Any) -> int:
    if type(value) is not int or not 0 < value <= _LARGEST_ID:
        raise ValueError(value)
    return value


def _damaged() -> QueryError:
    return QueryError(
        "The cursor is not one of ours. Give `next` of an answer unchanged, or leave it out."
    )


def _digest(query: Query, collections: Iterable[str]) -> str:
    """Of all that decides which documents are found, and in what order."""
    # As text in one form: the order of a set differs from process to process.
    decides = (query.text, str(query.mode), query.kind, query.instruction, query.where)
    content = json.dumps([*decides, sorted(collections)])
    return hashlib.sha256(content.encode()).hexdigest()[:16]
