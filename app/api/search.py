"""GET and POST /search."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Query as Parameters
from fastapi.responses import JSONResponse

from app.api.errors import RESPONSES
from app.api.gone import unless_gone
from app.api.search_schemas import SearchAnswer, SearchOptions, SearchParameters, SearchRequest
from app.api.state import RERANKER, State, StateDep
from app.api.timing import StagesDep
from app.search.query import Mode, Query
from app.search.service import SearchService
from app.search.stages import Stages

router = APIRouter(tags=["search"], responses=RESPONSES)


@router.post("/search", response_model=SearchAnswer)
async def search(
    client: Request, request: SearchRequest, state: StateDep, stages: StagesDep
) -> JSONResponse:
    """The documents that answer a question best, each with its best passage."""
    return await _answer(client, _query(request, state), state, request.collection, stages)


@router.get("/search", response_model=SearchAnswer)
async def search_by_address(
    client: Request,
    request: Annotated[SearchParameters, Parameters()],
    state: StateDep,
    stages: StagesDep,
) -> JSONResponse:
    """The same, for links and tools that can only GET."""
    return await _answer(client, _query(request, state), state, request.collection or None, stages)


def _query(request: SearchOptions, state: State) -> Query:
    """The question, checked: what cannot be answered costs no work."""
    query = Query(
        request.query,
        request.mode,
        request.k or state.settings.k,
        where=request.where,
        instruction=request.instruction,
        more=request.more,
        neighbours=request.neighbours,
        cursor=request.cursor,
        rerank=request.rerank or request.budget_ms is not None,
        budget_s=None if request.budget_ms is None else request.budget_ms / 1000,
    )
    query.check()
    return query


async def _answer(
    client: Request, query: Query, state: State, wanted: str | list[str] | None, stages: Stages
) -> JSONResponse:
    """Its vector is got first, which holds no thread; then retrieval takes a turn on one."""
    names = state.names(wanted)
    with state.turns.place(), state.latencies.timed():
        service = state.service
        if query.mode is not Mode.LEXICAL:
            await state.turns.load(names, partial(state.load_models, names))
            vectors = state.query_vectors(names, query, stages)
            service = service.with_vectors(await unless_gone(client, vectors))
        if query.rerank:
            await state.turns.load((RERANKER,), state.load_reranker)
        return await state.turns.run(partial(_search, query, state, names, service, stages))


def _search(
    query: Query, state: State, names: list[str], service: SearchService, stages: Stages
) -> JSONResponse:
    """On a thread; the answer is written there as well, not between the requests of others."""
    return JSONResponse(service.search(query, state.chosen(names), stages).to_dict())
