"""GET and POST /search."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as Parameters
from fastapi.responses import JSONResponse

from app.api.errors import RESPONSES
from app.api.search_schemas import SearchAnswer, SearchOptions, SearchParameters, SearchRequest
from app.api.state import State, StateDep
from app.search.query import Mode, Query

router = APIRouter(tags=["search"], responses=RESPONSES)


@router.post("/search", response_model=SearchAnswer)
async def search(request: SearchRequest, state: StateDep) -> JSONResponse:
    """The documents that answer a question best, each with its best passage."""
    return await _answer(request, state, state.names(request.collection))


@router.get("/search", response_model=SearchAnswer)
async def search_by_address(
    request: Annotated[SearchParameters, Parameters()], state: StateDep
) -> JSONResponse:
    """The same, for links and tools that can only GET."""
    return await _answer(request, state, state.names(request.collection or None))


async def _answer(request: SearchOptions, state: State, names: list[str]) -> JSONResponse:
    needs = () if request.mode is Mode.LEXICAL else names
    work = partial(_search, request, state, names)
    with state.latencies.timed():
        return await state.turns.run(work, needs, partial(state.load_models, names))


def _search(request: SearchOptions, state: State, names: list[str]) -> JSONResponse:
    """On a thread; the answer is written there as well, not between the requests of others."""
    query = Query(
        request.query,
        request.mode,
        request.k or state.settings.k,
        where=request.where,
        instruction=request.instruction,
        more=request.more,
        neighbours=request.neighbours,
        cursor=request.cursor,
    )
    return JSONResponse(state.service.search(query, state.chosen(names)).to_dict())
