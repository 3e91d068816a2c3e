"""GET /documents/{id}: a whole document."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from app.api.errors import RESPONSES
from app.api.schemas import CollectionName, DocumentAnswer
from app.api.state import StateDep
from app.search.answer import chunk_to_dict, document_to_dict

# SQLite's largest row id: a larger number is no id, and must not reach the driver.
MAX_ID = 2**63 - 1

router = APIRouter(tags=["documents"], responses=RESPONSES)


@router.get("/documents/{document_id}", response_model=DocumentAnswer)
def document(
    document_id: Annotated[int, Path(ge=1, le=MAX_ID)],
    state: StateDep,
    collection: Annotated[
        CollectionName | None, Query(description="Unset: the default one")
    ] = None,
) -> dict[str, Any]:
    """A document's extracted text, metadata and chunks."""
    ((name, opened),) = state.chosen(state.names(collection)).items()
    found = opened.document(document_id)
    return {
        **document_to_dict(found.id, found),
        "collection": name,
        "metadata": found.metadata,
        "text": found.text,
        "chunks": [chunk_to_dict(c, found.text[c.start : c.end]) for c in found.chunks],
    }
