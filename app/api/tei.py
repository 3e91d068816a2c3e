"""POST /embed and GET /info as text-embeddings-inference has them, for the default model.

Where it differs: vectors are of unit length always, so `normalize: false` is refused.
"""

import time
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.embedding_work import MAX_INPUTS, Started, check_size, start_texts
from app.api.gone import unless_gone
from app.api.state import State, StateDep
from app.api.tei_errors import RESPONSES, TeiRoute
from app.api.timing import StagesDep
from app.search.stages import Stage
from indexer.embedding.shared.job import Embedded
from indexer.embedding.tokenizer import Tokenizer
from indexer.errors import UsageError
from indexer.modes import Precision
from indexer.types import Kind, Pooling
from indexer.version import __version__

router = APIRouter(tags=["tei"], responses=RESPONSES, route_class=TeiRoute)

_KINDS = {None: Kind.DOCUMENT, "query": Kind.QUERY, "document": Kind.DOCUMENT}
_DTYPES = {Precision.FP32: "float32", Precision.FP16: "float16", Precision.BF16: "bfloat16"}
_POOLINGS = {Pooling.MEAN: "mean", Pooling.CLS: "cls", Pooling.LAST_TOKEN: "last_token"}


class EmbedRequest(BaseModel):
    """TEI's request for embeddings."""

    model_config = ConfigDict(extra="ignore")

    inputs: Annotated[str | list[str], Field(examples=["a text", ["two", "texts"]])]
    truncate: Annotated[
        bool | None, Field(description="Cut texts over the model's limit, instead of refusing them")
    ] = False
    truncation_direction: Annotated[
        str,
        Field(pattern="^([Rr]ight|[Ll]eft)$", description="The end of a text that is cut off"),
    ] = "Right"
    prompt_name: Annotated[
        str | None, Field(description="query, or document (as without one)", examples=["query"])
    ] = None
    normalize: bool = True
    dimensions: Annotated[int | None, Field(ge=1)] = None


class EmbeddingModel(BaseModel):
    """What kind of model it is."""

    pooling: str


class ModelType(BaseModel):
    """TEI's name for what a model does."""

    embedding: EmbeddingModel


class Info(BaseModel):
    """The model and the limits of the service."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    model_sha: str | None
    model_dtype: Annotated[str, Field(examples=["float32", "int8"])]
    model_type: ModelType
    max_concurrent_requests: int
    max_input_length: int
    max_batch_tokens: int
    max_batch_requests: int | None = None
    max_client_batch_size: int
    auto_truncate: bool = False
    tokenization_workers: int
    version: str
    sha: str | None = None
    docker_label: str | None = None


@router.post("/embed", response_model=list[list[float]])
async def embed(
    client: Request, request: EmbedRequest, state: StateDep, stages: StagesDep
) -> Response:
    """One vector per text, unit length, in the order of the inputs."""
    began = time.perf_counter()
    with state.turns.place():
        texts = [request.inputs] if isinstance(request.inputs, str) else request.inputs
        check_size(texts, "inputs")
        with stages.time(Stage.TOKENISE):
            started = await state.turns.run(partial(_start, request, texts, state))
        tokenised = time.perf_counter()
        embedded = await unless_gone(client, started.result(stages))
        answer = await state.turns.run(partial(_answer, started, embedded))
    answer.headers.update(
        {
            "x-compute-type": str(started.embedder.mode),
            "x-compute-characters": str(sum(map(len, texts))),
            "x-compute-tokens": str(embedded.tokens),
            "x-tokenization-time": _ms(tokenised - began),
            "x-queue-time": _ms(embedded.waited_s),
            "x-inference-time": _ms(embedded.worked_s),
            "x-compute-time": _ms(time.perf_counter() - began),
            "x-total-time": _ms(time.perf_counter() - began),
        }
    )
    return answer


@router.get("/info")
async def info(state: StateDep) -> Info:
    """The model that /embed serves, and the limits."""
    embedder = state.first_embedder
    spec, precision = embedder.spec, embedder.mode.precision
    return Info(
        model_id=spec.model,
        model_sha=spec.revision,
        model_dtype=_DTYPES.get(precision, str(precision)),
        model_type=ModelType(embedding=EmbeddingModel(pooling=_POOLINGS[spec.pooling])),
        max_concurrent_requests=state.turns.most_places,
        max_input_length=spec.max_tokens,
        max_batch_tokens=embedder.batch_tokens,
        max_client_batch_size=MAX_INPUTS,
        tokenization_workers=state.turns.at_once,
        version=__version__,
    )


def _start(request: EmbedRequest, texts: list[str], state: State) -> Started:
    """On a thread: texts are tokenised."""
    embedder = state.first_embedder
    if request.prompt_name not in _KINDS:
        raise UsageError(f"prompt_name: {request.prompt_name!r} is none of query, document.")
    if not request.normalize:
        raise UsageError("normalize: false is not offered; vectors here are of unit length.")
    kind = _KINDS[request.prompt_name]
    dimension = embedder.spec.check_dimension(request.dimensions)
    if not request.truncate:
        _refuse_long(embedder.tokenizer, texts, kind)
    elif request.truncation_direction.lower() == "left":
        texts = [embedder.tokenizer.tail(text, kind) for text in texts]
    return start_texts(embedder, texts, kind, dimension, "inputs")


def _refuse_long(tokenizer: Tokenizer, texts: list[str], kind: Kind) -> None:
    longest = max(tokenizer.count(texts, kind))
    if longest > tokenizer.max_tokens:
        raise UsageError(
            f"inputs: a text has {longest:,} tokens, the model takes {tokenizer.max_tokens:,}. "
            "Send shorter ones, or truncate: true."
        )


def _answer(started: Started, embedded: Embedded) -> JSONResponse:
    """On a thread: the JSON may be megabytes."""
    return JSONResponse(started.vectors(embedded).tolist())


def _ms(seconds: float) -> str:
    return str(round(seconds * 1000))
