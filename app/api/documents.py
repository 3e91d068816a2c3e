"""GET /documents: listed, whole, by passage, and those like another."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from app.api.document_schemas import (
    MAX_ID,
    MAX_PAGE,
    DocumentAnswer,
    DocumentId,
    ExternalId,
    ListAnswer,
    PassageAnswer,
    SimilarAnswer,
    WantedCollection,
    WantedWhere,
)
from app.api.errors import RESPONSES
from app.api.state import State, StateDep
from app.search.answer import chunk_to_dict, document_to_dict
from app.search.query import MAX_K, MAX_NEIGHBOURS
from app.search.similar import similar_documents
from app.search.where import parse_where
from indexer.errors import NotFoundError, UsageError
from indexer.paths import upload_id, upload_path
from indexer.storage.collection import Collection
from indexer.storage.documents import DocumentSummary
from indexer.types import StoredChunk

router = APIRouter(tags=["documents"], responses=RESPONSES)

WantedDocument = Annotated[DocumentId, Path()]


def _opened(state: State, collection: str | None) -> tuple[str, Collection]:
    ((name, opened),) = state.chosen(state.names(collection)).items()
    return name, opened


@router.get("/documents", response_model=ListAnswer)
def documents(
    state: StateDep,
    collection: WantedCollection = None,
    after: Annotated[int, Query(ge=0, le=MAX_ID, description="`next` of the page before")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
    under: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=4_096,
            description="A file or folder by its absolute path, or api:/ for all that lies in none",
        ),
    ] = None,
    where: WantedWhere = None,
    external_id: Annotated[ExternalId | None, Query()] = None,
) -> dict[str, Any]:
    """Documents by ascending id, page by page."""
    name, opened = _opened(state, collection)
    if external_id is not None and (under, where) != (None, None):
        raise UsageError("external_id names one document. Leave under and where out.")
    condition = None if where is None else parse_where(where)
    with opened.snapshot() as now:
        if external_id is None:
            beneath = None if under is None else under.encode()
            page = now.documents(beneath, after, limit + 1, condition)
        else:
            found = now.documents_at([upload_path(external_id)]).values()
            page = [document for document in found if document.id > after]
    more = len(page) > limit
    page = page[:limit]
    return {
        "collection": name,
        "documents": [_summary_to_dict(document) for document in page],
        "next": page[-1].id if more else None,
    }


def _summary_to_dict(document: DocumentSummary) -> dict[str, Any]:
    return {
        **document_to_dict(document.id, document),
        "external_id": upload_id(document.path),
        "chunks": document.chunks,
    }


@router.get("/documents/{document_id}", response_model=DocumentAnswer)
def document(
    document_id: WantedDocument, state: StateDep, collection: WantedCollection = None
) -> dict[str, Any]:
    """A document's extracted text, metadata and chunks."""
    name, opened = _opened(state, collection)
    found = opened.document(document_id)
    return {
        **document_to_dict(found.id, found),
        "collection": name,
        "external_id": upload_id(found.path),
        "metadata": found.metadata,
        "text": found.text,
        "chunks": [chunk_to_dict(c, found.text[c.start : c.end]) for c in found.chunks],
    }


@router.get("/documents/{document_id}/chunks/{chunk_id}", response_model=PassageAnswer)
def passage(
    document_id: WantedDocument,
    chunk_id: Annotated[DocumentId, Path()],
    state: StateDep,
    collection: WantedCollection = None,
    neighbours: Annotated[
        int, Query(ge=0, le=MAX_NEIGHBOURS, description="Passages before it and after it")
    ] = 1,
) -> dict[str, Any]:
    """A passage of a document, as hits name it, with those around it."""
    name, opened = _opened(state, collection)
    with opened.snapshot() as now:
        chunk = now.chunks([chunk_id]).get(chunk_id)
        if chunk is None or chunk.document_id != document_id:
            raise NotFoundError(
                f"Document {document_id} has no passage {chunk_id}. It may have changed since the "
                "search: search again."
            )
        around = now.chunks_around(chunk, neighbours) if neighbours else []
    return {
        "collection": name,
        "document": document_to_dict(document_id, chunk),
        "chunk": _chunk(chunk),
        "before": [_chunk(other) for other in around if other.ordinal < chunk.ordinal],
        "after": [_chunk(other) for other in around if other.ordinal > chunk.ordinal],
    }


@router.get("/documents/{document_id}/similar", response_model=SimilarAnswer)
def similar(
    document_id: WantedDocument,
    state: StateDep,
    collection: WantedCollection = None,
    k: Annotated[int, Query(ge=1, le=MAX_K)] = 10,
    where: WantedWhere = None,
) -> dict[str, Any]:
    """The documents that mean most nearly the same, each with its best passage; needs no model."""
    name, opened = _opened(state, collection)
    condition = None if where is None else parse_where(where)
    with opened.snapshot() as now:
        found = similar_documents(now, document_id, k, condition)
        (like,) = now.documents(after=document_id - 1, limit=1)
        chunks = now.chunks([one.chunk_id for one in found])
    return {
        "collection": name,
        "document": document_to_dict(document_id, like),
        "hits": [
            {
                "rank": rank,
                "score": round(one.score, 6),
                "document": document_to_dict(one.document_id, chunks[one.chunk_id]),
                "chunk": _chunk(chunks[one.chunk_id]),
            }
            for rank, one in enumerate(found, start=1)
        ],
    }


def _chunk(chunk: StoredChunk) -> dict[str, Any]:
    return chunk_to_dict(chunk, chunk.text)
