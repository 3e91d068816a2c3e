"""Documents as the catalog holds them; the text is put together from the chunks."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from indexer.storage.catalog import among, batches, beneath, file_ids
from indexer.storage.encoding import decode_heading
from indexer.storage.tables import ChunkRow, DocumentRow, FileRow
from indexer.types import Metadata


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """A line of a listing."""

    id: int
    path: bytes
    member: str
    title: str
    format: str
    chunks: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk inside its document, by offsets into the document's text."""

    id: int
    ordinal: int
    start: int
    end: int
    start_line: int
    end_line: int
    heading: tuple[str, ...]
    place: str


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document with its whole text."""

    id: int
    path: bytes
    member: str
    title: str
    format: str
    metadata: Metadata
    text: str
    chunks: tuple[Passage, ...]


_IDS_AT_ONCE = 5_000  # that a filter left: a page of a listing needs a few of them

_SUMMARIES = (
    select(  # in the order of `DocumentSummary`'s fields
        DocumentRow.id,
        FileRow.path,
        DocumentRow.member,
        DocumentRow.title,
        DocumentRow.format,
        select(func.count())
        .select_from(ChunkRow)
        .where(ChunkRow.document_id == DocumentRow.id)
        .scalar_subquery(),
    )
    .join(FileRow, FileRow.id == DocumentRow.file_id)
    .order_by(DocumentRow.id)
)


def read_document(connection: Connection, document_id: int) -> StoredDocument | None:
    """The document, or None."""
    query = (
        select(
            FileRow.path,
            DocumentRow.member,
            DocumentRow.title,
            DocumentRow.format,
            DocumentRow.metadata_json,
        )
        .join(FileRow, FileRow.id == DocumentRow.file_id)
        .where(DocumentRow.id == document_id)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    columns = (ChunkRow.start, ChunkRow.text, ChunkRow.id, ChunkRow.ordinal, ChunkRow.end)
    more = (ChunkRow.start_line, ChunkRow.end_line, ChunkRow.heading, ChunkRow.place)
    chunk_query = select(*columns, *more).where(ChunkRow.document_id == document_id)
    rows = connection.execute(chunk_query.order_by(ChunkRow.ordinal)).all()
    passages = tuple(
        Passage(r[2], r[3], r[0], r[4], r[5], r[6], decode_heading(r[7]), r[8]) for r in rows
    )
    text = join_passages((r[0], r[1]) for r in rows)
    path, member, title, format_, metadata = row
    return StoredDocument(
        document_id, path, member, title, format_, json.loads(metadata), text, passages
    )


def join_passages(passages: Iterable[tuple[int, str]]) -> str:
    """The text that (start, text) pairs were cut from; overlaps are merged, offsets are kept.

    A stretch no passage covers comes back as spaces, so that every offset stays right.
    """
    parts: list[str] = []
    position = 0
    for start, text in sorted(passages):
        if start > position:
            parts.append(" " * (start - position))
            position = start
        fresh = text[position - start :]
        parts.append(fresh)
        position += len(fresh)
    return "".join(parts)


def list_documents(
    connection: Connection,
    under: bytes | None,
    after: int,
    limit: int,
    only: Sequence[int] | None = None,
) -> list[DocumentSummary]:
    """Up to `limit` documents with ids above `after`, ascending, at or inside path `under`.

    `only`: those of these ids, ascending.
    """
    query = _SUMMARIES.where(DocumentRow.id > after)
    if under is not None:
        query = query.where(beneath(under))
    if only is None:
        return [DocumentSummary(*row) for row in connection.execute(query.limit(limit))]
    found: list[DocumentSummary] = []
    for ids in batches(only[bisect_right(only, after) :], _IDS_AT_ONCE):
        some = query.where(among(DocumentRow.id, ids)).limit(limit - len(found))
        found += [DocumentSummary(*row) for row in connection.execute(some)]
        if len(found) >= limit:
            break
    return found


def documents_at(connection: Connection, paths: Sequence[bytes]) -> dict[bytes, DocumentSummary]:
    """{path: its document} of those of the paths that are known and hold one document."""
    files = list(file_ids(connection, paths).values())
    query = _SUMMARIES.where(among(DocumentRow.file_id, files), DocumentRow.member == "")
    return {row[1]: DocumentSummary(*row) for row in connection.execute(query)}


def named_documents(connection: Connection, name: bytes, limit: int) -> list[DocumentSummary]:
    """Up to `limit` documents of the file at this path, or of those whose paths end with it.

    `b.md` and `a/b.md` name `/docs/a/b.md`, `.md` does not: whole names only.
    """
    end = b"/" + name.lstrip(b"/")
    ends_so = func.substr(FileRow.path, -len(end)) == end
    exact = _SUMMARIES.where(FileRow.path == name)
    rows = connection.execute(exact.limit(limit)).all()
    if not rows:
        rows = connection.execute(_SUMMARIES.where(ends_so).limit(limit)).all()
    return [DocumentSummary(*row) for row in rows]


def list_headings(connection: Connection) -> Iterator[tuple[int, str]]:
    """(document id, heading) of every title and innermost heading, by document; none is empty."""
    titles = select(DocumentRow.id, DocumentRow.title).where(DocumentRow.title != "")
    yield from ((row[0], row[1]) for row in connection.execute(titles.order_by(DocumentRow.id)))
    headings = select(ChunkRow.document_id, ChunkRow.heading).distinct()
    for document_id, stored in connection.execute(headings.order_by(ChunkRow.document_id)):
        if path := decode_heading(stored):
            yield document_id, path[-1]
