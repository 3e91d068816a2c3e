"""POST /v1/embeddings and GET /v1/models, as OpenAI's clients expect them."""

import base64
from contextlib import suppress
from functools import partial
from typing import cast

from fastapi import APIRouter, Request, Response

from app.api.embedding_work import Started, check_size, load, start_ids, start_texts
from app.api.errors import RESPONSES, ApiError
from app.api.gone import unless_gone
from app.api.schemas import (
    EmbeddingAnswer,
    EmbeddingItem,
    EmbeddingRequest,
    ModelItem,
    ModelList,
    Usage,
)
from app.api.state import Served, State, StateDep
from app.api.timing import StagesDep
from app.search.stages import Stage
from indexer.embedding.models import SHORT_NAMES, resolve
from indexer.embedding.shared.job import Embedded
from indexer.errors import ModelError, SemsearchError, UsageError
from indexer.types import Kind

Inputs = list[str] | list[list[int]]

router = APIRouter(prefix="/v1", tags=["openai"], responses=RESPONSES)


@router.get("/models")
def models(state: StateDep) -> ModelList:
    """The models that /v1/embeddings serves."""
    served = state.served()
    return ModelList(data=[ModelItem(id=m.id, created=0, owned_by="semsearch") for m in served])


@router.post("/embeddings", response_model=EmbeddingAnswer)
async def embeddings(
    client: Request, request: EmbeddingRequest, state: StateDep, stages: StagesDep
) -> Response:
    """One vector per text, unit length, in the order of the input.

    Token ids are those of the model's own tokenizer, with or without its special tokens.
    """
    with state.turns.place():
        texts = _inputs(request)
        check_size(texts, "input")
        needs = (f"model:{request.model}",)  # no collection has a name with a colon
        await state.turns.load(needs, partial(_load, request, state))
        with stages.time(Stage.TOKENISE):
            model, started = await state.turns.run(partial(_start, request, texts, state))
        embedded = await unless_gone(client, started.result(stages))
        return await state.turns.run(partial(_answer, request, model, started, embedded))


def _load(request: EmbeddingRequest, state: State) -> bool:
    """Load the model; False where `_start` will say what is wrong."""
    try:
        return load(_served(request.model, state), state)
    except (ApiError, SemsearchError):
        return False


def _start(request: EmbeddingRequest, texts: Inputs, state: State) -> tuple[str, Started]:
    """(id of the model, texts in its queue); on a thread, as texts are tokenised."""
    served = _served(request.model, state)
    embedder = state.embedder(served)
    try:
        dimension = embedder.spec.check_dimension(request.dimensions)
    except UsageError as error:
        raise ApiError(400, str(error), param="dimensions") from None
    if isinstance(texts[0], str):
        return served.id, start_texts(embedder, texts, Kind.DOCUMENT, dimension, "input")
    try:
        return served.id, start_ids(embedder, texts, dimension)
    except UsageError as error:
        raise ApiError(400, str(error), param="input") from None


def _answer(
    request: EmbeddingRequest, model: str, started: Started, embedded: Embedded
) -> Response:
    """On a thread: the JSON may be megabytes."""
    vectors = started.vectors(embedded).astype("<f4", copy=False)
    as_text = request.encoding_format == "base64"
    answer = EmbeddingAnswer(
        data=[
            EmbeddingItem(
                index=i,
                embedding=base64.b64encode(v.tobytes()).decode() if as_text else v.tolist(),
            )
            for i, v in enumerate(vectors)
        ],
        model=model,
        usage=Usage(prompt_tokens=embedded.tokens, total_tokens=embedded.tokens),
    )
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")


def _inputs(request: EmbeddingRequest) -> Inputs:
    """The input as a list of texts, or of lists of token ids."""
    given = request.input
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return [given]
    return cast("Inputs", given)


def _served(name: str, state: State) -> Served:
    """The served model of this name: its id, or the short name that stands for it."""
    served = state.served()
    # No more than that: what a stranger sends must not be looked for among the files here.
    names = {name, name.partition("@")[0]}
    if name in SHORT_NAMES:
        with suppress(ModelError):  # the bundled model's package is not installed
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
