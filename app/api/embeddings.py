"""POST /v1/embeddings and GET /v1/models, as OpenAI's clients expect them."""

import base64
from contextlib import suppress
from functools import partial

from fastapi import APIRouter, Response

from app.api.errors import RESPONSES, ApiError
from app.api.schemas import (
    EmbeddingAnswer,
    EmbeddingItem,
    EmbeddingRequest,
    ModelItem,
    ModelList,
    Usage,
)
from app.api.state import Served, State, StateDep
from indexer.embedding.models import resolve
from indexer.errors import ModelError, SemsearchError, UsageError
from indexer.types import Kind

# OpenAI's own limits (platform.openai.com/docs/api-reference/embeddings).
MAX_INPUTS = 2_048
MAX_TOKENS = 300_000

router = APIRouter(prefix="/v1", tags=["openai"], responses=RESPONSES)


@router.get("/models")
def models(state: StateDep) -> ModelList:
    """The models that /v1/embeddings serves."""
    served = state.served()
    return ModelList(data=[ModelItem(id=m.id, created=0, owned_by="semsearch") for m in served])


@router.post("/embeddings", response_model=EmbeddingAnswer)
async def embeddings(request: EmbeddingRequest, state: StateDep) -> Response:
    """One vector per text, unit length, in the order of the input."""
    _texts(request)  # before a model is loaded for it
    needs = (f"model:{request.model}",)  # no collection has a name with a colon
    return await state.turns.run(
        partial(_embed, request, state), needs, partial(_load, request, state)
    )


def _load(request: EmbeddingRequest, state: State) -> bool:
    """Load the model; False where `_embed` will say what is wrong."""
    try:
        state.embedder(_served(request.model, state))
    except (ApiError, SemsearchError):
        return False
    return True


def _embed(request: EmbeddingRequest, state: State) -> Response:
    """On a thread; so is the answer's JSON, which may be megabytes."""
    texts = _texts(request)
    served = _served(request.model, state)
    embedder = state.embedder(served)
    if request.dimensions is not None:
        try:
            embedder = state.embedder(served, request.dimensions)
        except UsageError as error:
            raise ApiError(400, str(error), param="dimensions") from None
    tokens = sum(min(n, embedder.spec.max_tokens) for n in embedder.tokenizer.count(texts))
    if tokens > MAX_TOKENS:
        raise ApiError(400, f"{tokens:,} tokens; at most {MAX_TOKENS:,} a request.", param="input")
    vectors = embedder.embed(texts, Kind.DOCUMENT).astype("<f4", copy=False)
    as_text = request.encoding_format == "base64"
    answer = EmbeddingAnswer(
        data=[
            EmbeddingItem(
                index=i,
                embedding=base64.b64encode(v.tobytes()).decode() if as_text else v.tolist(),
            )
            for i, v in enumerate(vectors)
        ],
        model=served.id,
        usage=Usage(prompt_tokens=tokens, total_tokens=tokens),
    )
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")


def _texts(request: EmbeddingRequest) -> list[str]:
    """The input as texts.

    Raises:
        ApiError: none, too many, or token ids.
    """
    if isinstance(request.input, str):
        return [request.input]
    if not request.input:
        raise ApiError(400, "input is empty: give at least one text.", param="input")
    if len(request.input) > MAX_INPUTS:
        raise ApiError(
            400, f"{len(request.input):,} inputs; at most {MAX_INPUTS:,} a request.", param="input"
        )
    texts = [item for item in request.input if isinstance(item, str)]
    if len(texts) != len(request.input):
        raise ApiError(400, "Token ids are not taken; send texts.", param="input")
    return texts


def _served(name: str, state: State) -> Served:
    """The served model of this name: its id, or the short name that stands for it."""
    served = state.served()
    names = {name}
    with suppress(ModelError):  # not a name we know: then only a served id can match
        names.add(resolve(name).model)
    for model in served:
        if model.id in names:
            return model
    raise ApiError(
        404,
        f"The model {name!r} is not served here. Served: {', '.join(m.id for m in served)}.",
        param="model",
        code="model_not_found",
    )
