"""POST and DELETE /documents: documents that come through the API and lie in no file."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from app.api.document_schemas import (
    MAX_DOCUMENTS,
    MAX_TEXT_CHARS,
    DeleteAnswer,
    DocumentId,
    ExternalId,
    PutAnswer,
    PutOut,
    PutRequest,
    WantedCollection,
)
from app.api.errors import RESPONSES, ApiError
from app.api.schemas import ErrorAnswer
from app.api.state import State, StateDep
from app.uploads import FileDocumentError
from indexer.errors import SemsearchError

_TOO_MUCH: dict[int | str, dict[str, Any]] = {
    413: {"model": ErrorAnswer, "description": "More text than one request may bring"}
}

router = APIRouter(tags=["documents"], responses=RESPONSES)


@router.post("/documents", responses=_TOO_MUCH)
async def put(request: PutRequest, state: StateDep) -> PutAnswer:
    """Add documents, or replace those of the same ids: all of them, or none.

    When the answer is here they are on disk and can be found. Documents that are stored already,
    as they are, cost nothing.
    """
    _check_size(request)
    (name,) = state.names(request.collection)
    uploads = [document.upload() for document in request.documents]
    with state.turns.place():
        await state.turns.load((name,), partial(_load, state, name, create=request.create))
        # Not a turn: it waits for the model, behind all questions.
        waiting = await state.turns.beside(
            partial(state.uploads.prepare, name, uploads, create=request.create)
        )
        stored = await state.turns.write(partial(state.uploads.store, waiting))
    documents = [
        PutOut(id=one.id, document_id=one.document_id, status=one.status, chunks=one.chunks)
        for one in stored
    ]
    return PutAnswer(collection=name, documents=documents)


def _check_size(request: PutRequest) -> None:
    chars = sum(len(document.text) for document in request.documents)
    if chars > MAX_TEXT_CHARS:
        raise ApiError(
            413,
            f"{chars:,} characters of text; at most {MAX_TEXT_CHARS:,} a request. Send the "
            "documents in several requests.",
            param="documents",
            code="too_large",
        )


def _load(state: State, name: str, *, create: bool) -> bool:
    """Load the model; False where `prepare` will say what is wrong."""
    try:
        state.uploads.embedder(name, create=create)
    except SemsearchError:
        return False
    return True


@router.delete("/documents")
async def delete_uploads(
    external_id: Annotated[list[ExternalId], Query(min_length=1, max_length=MAX_DOCUMENTS)],
    state: StateDep,
    collection: WantedCollection = None,
) -> DeleteAnswer:
    """Delete documents by their senders' ids: all of them, or none."""
    (name,) = state.names(collection)
    ids = list(dict.fromkeys(external_id))
    with state.turns.place():
        deleted = await state.turns.write(partial(state.uploads.delete, name, ids))
    return DeleteAnswer(collection=name, deleted=deleted)


@router.delete("/documents/{document_id}")
async def delete_document(
    document_id: Annotated[DocumentId, Path()],
    state: StateDep,
    collection: WantedCollection = None,
) -> DeleteAnswer:
    """Delete a document that came through the API; one that lies in a file would come back."""
    (name,) = state.names(collection)
    try:
        with state.turns.place():
            await state.turns.write(partial(state.uploads.delete_document, name, document_id))
    except FileDocumentError as error:
        raise ApiError(409, str(error), param="document_id", code="lies_in_a_file") from None
    return DeleteAnswer(collection=name, deleted=[document_id])
