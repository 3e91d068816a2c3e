"""POST /rerank, as text-embeddings-inference's clients ask for it."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from app.api.errors import ApiError
from app.api.state import RERANKER, State, StateDep
from app.api.tei_errors import RESPONSES, TeiRoute
from app.api.timing import StagesDep
from app.search.query import MAX_QUERY_CHARS
from app.search.stages import Stage
from indexer.reranking.base import Reranker

# Texts and their characters in one request; more would keep all others waiting.
MAX_TEXTS = 256
MAX_TEXT_CHARS = 1 << 17

router = APIRouter(tags=["tei"], responses=RESPONSES, route_class=TeiRoute)


class RerankRequest(BaseModel):
    """TEI's request: a question and the texts to judge by it."""

    model_config = ConfigDict(extra="ignore")

    query: Annotated[
        str,
        Field(min_length=1, max_length=MAX_QUERY_CHARS, examples=["how is the clock wound?"]),
    ]
    texts: Annotated[
        list[Annotated[str, Field(max_length=MAX_TEXT_CHARS)]],
        Field(min_length=1, max_length=MAX_TEXTS, examples=[["By hand.", "Tea is brewed hot."]]),
    ]
    truncate: Annotated[
        bool, Field(description="Cut texts that are too long for the model; false: refuse them")
    ] = False
    truncation_direction: Annotated[
        str, Field(pattern="^[Rr]ight$", description="Texts lose their end, nothing else")
    ] = "Right"
    raw_scores: Annotated[bool, Field(description="Logits instead of scores from 0 to 1")] = False
    return_text: Annotated[bool, Field(description="Give the texts back as well")] = False


class RerankedText(BaseModel):
    """A text's place in the request and its score."""

    index: int
    score: float
    text: str | None = None


@router.post("/rerank", response_model=list[RerankedText], response_model_exclude_none=True)
async def rerank(request: RerankRequest, state: StateDep, stages: StagesDep) -> JSONResponse:
    """The texts by how well they answer the query, the best first."""
    if not state.rerankers.is_set:
        raise ApiError(
            404,
            "No reranker is served here. Start the service with SEMSEARCH_RERANKER set, for "
            "example to qwen3-reranker-0.6b.",
            code="reranker_not_set",
        )
    with state.turns.place():
        await state.turns.load((RERANKER,), state.load_reranker)
        with stages.time(Stage.RERANK):
            return await state.turns.run(partial(_rerank, request, state))


def _rerank(request: RerankRequest, state: State) -> JSONResponse:
    """On a thread."""
    reranker = state.rerankers.get().reranker
    if not request.truncate:
        _refuse_long(request, reranker)
    judge = reranker.logits if request.raw_scores else reranker.probabilities
    scores = judge(request.query, request.texts)
    order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))
    items = [
        {"index": index, "score": float(scores[index])}
        | ({"text": request.texts[index]} if request.return_text else {})
        for index in order
    ]
    return JSONResponse(items)


def _refuse_long(request: RerankRequest, reranker: Reranker) -> None:
    limit = reranker.max_tokens
    if limit is None:
        return  # the server has limits of its own
    for index, count in enumerate(reranker.token_counts(request.query, request.texts)):
        if count > limit:
            raise ApiError(
                422,
                f"Text {index} with the query: {count:,} tokens; {reranker.name} takes {limit:,}. "
                "Shorten it, or let it be cut with truncate.",
                param="texts",
            )
