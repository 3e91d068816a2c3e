"""Requests and answers of /judgements."""

from typing import Annotated

from pydantic import BaseModel, Field

from app.api.document_schemas import MAX_ID
from app.api.schemas import CollectionName, Strict
from app.search.query import MAX_QUERY_CHARS

MAX_DOCUMENTS = 100  # of one request: more than a page of hits

DocumentId = Annotated[int, Field(ge=1, le=MAX_ID)]


class JudgementRequest(Strict):
    """What somebody says of a document."""

    query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS)]
    document: DocumentId
    grade: Annotated[
        int | None,
        Field(ge=0, le=2, description="0 not relevant, 1 relevant, 2 answers fully; null: unsaid"),
    ]
    collection: Annotated[CollectionName | None, Field(description="Unset: the default one")] = None


class Judgement(BaseModel):
    """A document and what was said of it."""

    document: int
    grade: int


class JudgementsAnswer(BaseModel):
    """Judgements of one query."""

    collection: str
    query: str
    judgements: list[Judgement]
