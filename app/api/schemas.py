"""Requests and answers of the HTTP service, with the examples that its OpenAPI page shows."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.settings import COLLECTION_NAME

CollectionName = Annotated[str, Field(pattern=COLLECTION_NAME, examples=["default"])]


class Strict(BaseModel):
    """Unknown fields are refused: a misspelt option must not be ignored."""

    model_config = ConfigDict(extra="forbid")


class DocumentRef(BaseModel):
    """A document, without its text."""

    id: int
    path: Annotated[str, Field(examples=["/home/ada/docs/placements.md"])]
    member: Annotated[str, Field(description="Id inside a file of many documents, else empty")]
    title: str
    format: Annotated[str, Field(examples=["markdown"])]


class ChunkRef(BaseModel):
    """A passage. Offsets count code points of the extracted text, lines from 1."""

    id: int
    ordinal: Annotated[int, Field(description="Its place among the document's chunks, from 0")]
    heading: Annotated[str, Field(examples=["Placements > Offload"])]
    place: Annotated[str, Field(description="Page, sheet, slide or cell", examples=["page 3"])]
    text: str
    start_line: int
    end_line: int
    start: int
    end: int


class CollectionAnswer(BaseModel):
    """A collection's counts and contract."""

    name: str
    documents: int
    chunks: int
    vectors: int
    generation: int
    contract: dict[str, Any]


class EmbeddingRequest(BaseModel):
    """OpenAI's request for embeddings. Texts are embedded as documents, without an instruction."""

    model_config = ConfigDict(extra="ignore")

    # Of a list that does not fit the first reason will do: others would be half a kilobyte each.
    input: Annotated[
        str
        | Annotated[list[str], Field(fail_fast=True)]
        | Annotated[list[int], Field(fail_fast=True)]
        | Annotated[list[Annotated[list[int], Field(fail_fast=True)]], Field(fail_fast=True)],
        Field(examples=["a text", ["two", "texts"]]),
    ]
    model: Annotated[str, Field(max_length=512, examples=["minilm"])]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int | None, Field(ge=1)] = None
    user: str | None = None


class EmbeddingItem(BaseModel):
    """One vector, as numbers or as base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens that went through the model."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingAnswer(BaseModel):
    """OpenAI's list of embeddings."""

    object: Literal["list"] = "list"
    data: list[EmbeddingItem]
    model: str
    usage: Usage


class ModelItem(BaseModel):
    """A model that /v1/embeddings serves."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(BaseModel):
    """OpenAI's list of models."""

    object: Literal["list"] = "list"
    data: list[ModelItem]


class ErrorBody(BaseModel):
    """What went wrong: OpenAI's error shape, on every route."""

    message: str
    type: Annotated[str, Field(examples=["invalid_request_error"])]
    param: str | None = None
    code: str | None = None


class ErrorAnswer(BaseModel):
    """Every error of every route has this shape."""

    error: ErrorBody


class Health(BaseModel):
    """State of the service."""

    status: Literal["alive", "ready"]
