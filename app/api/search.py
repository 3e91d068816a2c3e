"""POST /search."""

from functools import partial

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.api.errors import RESPONSES
from app.api.schemas import SearchAnswer, SearchRequest
from app.api.state import State, StateDep
from app.search.answer import Mode

router = APIRouter(tags=["search"], responses=RESPONSES)


@router.post("/search", response_model=SearchAnswer)
async def search(request: SearchRequest, state: StateDep) -> JSONResponse:
    """The documents that answer a question best, each with its best passage."""
    names = state.names(request.collection)
    needs = () if request.mode is Mode.LEXICAL else names
    work = partial(_search, request, state, names)
    return await state.turns.run(work, needs, partial(state.load_models, names))


def _search(request: SearchRequest, state: State, names: list[str]) -> JSONResponse:
    """On a thread; the answer is written there as well, not between the requests of others."""
    answer = state.service.search(
        request.query,
        state.chosen(names),
        k=request.k or state.settings.k,
        mode=request.mode,
        instruction=request.instruction,
    )
    return JSONResponse(answer.to_dict())
