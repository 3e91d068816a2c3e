"""The tools: query, get, multi_get, similar, status; each takes arguments, gives a result."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.mcp.arguments import (
    MAX_DOCUMENTS,
    Arguments,
    GetArguments,
    MultiGetArguments,
    OneSearch,
    QueryArguments,
    SimilarArguments,
    StatusArguments,
)
from app.mcp.library import Library
from app.mcp.results import SHOWN_CHARS, Result, hit_data, result_data, results
from app.search.lookup import find_document
from app.search.query import Mode, Query
from app.search.several import fuse_answers
from app.search.similar import similar_documents
from indexer.errors import NotFoundError, QueryError, SemsearchError
from indexer.paths import display_path
from indexer.storage.documents import StoredDocument
from indexer.storage.filters.where import Path
from indexer.storage.snapshot import Snapshot
from indexer.types import Kind


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool by name; it raises SemsearchError where its arguments cannot be honoured."""

    name: str
    takes: type[Arguments]
    run: Callable[[Library, Any], Result]

    @property
    def description(self) -> str:
        """What it is for."""
        return self.takes.__doc__ or ""


def query(library: Library, asked: QueryArguments) -> Result:
    """Search by one query, page by page, or by several at once."""
    collections = library.chosen(asked.collections)
    if asked.searches is not None:
        queries = [_search_query(one, asked) for one in asked.searches]
        answers = [library.service.search(one, collections) for one in queries]
        hits, after = fuse_answers(answers, asked.limit), None
        reasons = {answer.degraded_reason for answer in answers if answer.degraded_reason}
        text = " ".join(one.text for one in queries)
    else:
        text = asked.query or ""
        whole = Query(
            text,
            asked.mode,
            asked.limit,
            asked.where,
            asked.intent,
            more=0,
            cursor=asked.cursor,
        )
        answer = library.service.search(whole, collections)
        hits, after = list(answer.hits), answer.next
        reasons = {answer.degraded_reason} if answer.degraded_reason else set()
    if asked.minScore is not None:
        least = asked.minScore
        good = [hit for hit in hits if hit.score >= least]
        hits, after = good, after if len(good) == len(hits) else None
    notes = [f"By words only, as the model is out of reach: {reason}" for reason in sorted(reasons)]
    data = [hit_data(hit, text) for hit in hits]
    return results(data, notes, degraded=bool(reasons), next_cursor=after)


def _search_query(one: OneSearch, asked: QueryArguments) -> Query:
    if one.type == "lex":
        return Query(one.query, Mode.LEXICAL, asked.limit, asked.where, more=0)
    kind = Kind.DOCUMENT if one.type == "hyde" else Kind.QUERY
    instruction = asked.intent if kind is Kind.QUERY else None
    return Query(one.query, Mode.DENSE, asked.limit, asked.where, instruction, more=0, kind=kind)


def get(library: Library, asked: GetArguments) -> Result:
    """A document's text, or some of its lines."""
    name, collection = library.one(asked.collection)
    with collection.snapshot() as now:
        document = now.document(find_document(now, asked.file))
    data = _document_data(name, document)
    lines = _lines(document)
    first = asked.fromLine - 1
    last = len(lines) if asked.maxLines is None else first + asked.maxLines
    shown = lines[first:last]
    if asked.lineNumbers:
        shown = [f"{number}: {line}" for number, line in enumerate(shown, start=first + 1)]
    text = "\n".join(shown)
    data |= {"text": text, "from_line": asked.fromLine, "lines": len(lines)}
    head = f"{data['docid']} {data['file']}, lines {first + 1} to {first + len(shown)} of "
    return Result(f"{head}{len(lines)}\n{text}", data)


def multi_get(library: Library, asked: MultiGetArguments) -> Result:
    """Several documents; long ones are named with their size instead of read."""
    name, collection = library.one(asked.collection)
    with collection.snapshot() as now:
        data = [_read_one(now, name, one, asked) for one in _named(now, asked.pattern)]
    texts = [_shown(item) for item in data]
    return Result("\n\n".join(texts), {"documents": data})


def _named(now: Snapshot, pattern: str) -> list[str]:
    """Names and docids that the pattern stands for.

    Raises:
        NotFoundError, QueryError: for none, or for more than are read at once.
    """
    if any(sign in pattern for sign in "*?["):
        found = now.documents(limit=MAX_DOCUMENTS + 1, where=Path(pattern))
        names = [f"#{document.id}" for document in found]
    else:
        names = [name for part in pattern.split(",") if (name := part.strip())]
    if not names:
        raise NotFoundError(f"No document matches {pattern!r}.")
    if len(names) > MAX_DOCUMENTS:
        raise QueryError(f"{pattern!r} names more than {MAX_DOCUMENTS} documents. Narrow it.")
    return names


def _read_one(
    now: Snapshot, collection: str, name: str, asked: MultiGetArguments
) -> dict[str, Any]:
    """One document, or why it is not shown: a missing one must not lose the others."""
    try:
        document = now.document(find_document(now, name))
    except (NotFoundError, QueryError) as error:
        return {"file": name, "error": str(error)}
    data = _document_data(collection, document)
    size = len(document.text.encode())
    if size > asked.maxBytes:
        limit = f"{size:,} bytes, more than maxBytes = {asked.maxBytes:,}"
        return data | {"skipped": f"{limit}: read it with get."}
    return data | {"text": "\n".join(_lines(document)[: asked.maxLines])}


def _shown(item: dict[str, Any]) -> str:
    if "error" in item:
        return f"== {item['file']}\n{item['error']}"
    return f"== {item['docid']} {item['file']}\n{item.get('text', item.get('skipped'))}"


def similar(library: Library, asked: SimilarArguments) -> Result:
    """Documents whose passages mean what this one's mean; needs no model."""
    name, collection = library.one(asked.collection)
    with collection.snapshot() as now:
        found = similar_documents(now, find_document(now, asked.file), asked.limit)
        chunks = now.chunks([one.chunk_id for one in found])
    data = [
        result_data(name, one.score, chunks[one.chunk_id], chunks[one.chunk_id].text[:SHOWN_CHARS])
        for one in found
    ]
    return results(data)


def status(library: Library, _asked: StatusArguments) -> Result:
    """All collections with their counts."""
    data: list[dict[str, Any]] = []
    for name in library.collections.names():
        try:
            found = library.collections.get(name).status()
        except SemsearchError as error:  # a damaged one must not hide the others
            data.append({"collection": name, "error": str(error)})
            continue
        data.append(
            {
                "collection": name,
                "default": name == library.settings.collection,
                "documents": found.documents,
                "chunks": found.chunks,
                "model": found.contract.model,
                "dimension": found.contract.dimension,
                "folders": [display_path(os.fsencode(root)) for root in found.roots],
            }
        )
    lines = [_status_line(one) for one in data]
    return Result("\n".join(lines) or "There are no collections yet.", {"collections": data})


def _status_line(one: dict[str, Any]) -> str:
    if "error" in one:
        return f"{one['collection']}: {one['error']}"
    return (
        f"{one['collection']}: {one['documents']:,} documents in {one['chunks']:,} passages, "
        f"{one['model']}, from {', '.join(one['folders']) or 'the API'}"
    )


def _lines(document: StoredDocument) -> list[str]:
    """As chunks count them: `splitlines` would end one at a form feed as well."""
    return document.text.removesuffix("\n").split("\n")


def _document_data(collection: str, document: StoredDocument) -> dict[str, Any]:
    path = display_path(document.path)
    return {
        "docid": f"#{document.id}",
        "collection": collection,
        "file": f"{path}#{document.member}" if document.member else path,
        "title": document.title,
        "format": document.format,
        "metadata": dict(document.metadata),
    }


TOOLS = (
    Tool("query", QueryArguments, query),
    Tool("get", GetArguments, get),
    Tool("multi_get", MultiGetArguments, multi_get),
    Tool("similar", SimilarArguments, similar),
    Tool("status", StatusArguments, status),
)
