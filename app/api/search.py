"""POST /search."""

from typing import Any

from fastapi import APIRouter

from app.api.errors import RESPONSES
from app.api.schemas import SearchAnswer, SearchRequest
from app.api.state import StateDep

router = APIRouter(tags=["search"], responses=RESPONSES)


@router.post("/search", response_model=SearchAnswer)
def search(request: SearchRequest, state: StateDep) -> dict[str, Any]:
    """The documents that answer a question best, each with its best passage."""
    answer = state.service.search(
        request.query,
        state.chosen(request.collection),
        k=request.k or state.settings.k,
        mode=request.mode,
        instruction=request.instruction,
    )
    return answer.to_dict()
