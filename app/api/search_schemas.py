"""Requests and answers of /search, with the examples that its OpenAPI page shows."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.api.schemas import ChunkRef, CollectionName, DocumentRef, Strict
from app.search.cursor import MAX_CURSOR_CHARS
from app.search.file_state import FileState
from app.search.query import (
    MAX_BUDGET_S,
    MAX_FILTER_CHARS,
    MAX_INSTRUCTION_CHARS,
    MAX_K,
    MAX_MORE,
    MAX_NEIGHBOURS,
    MAX_QUERY_CHARS,
    Mode,
)

MAX_COLLECTIONS = 64  # of one request


class SearchOptions(Strict):
    """What GET and POST /search have in common."""

    query: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_QUERY_CHARS,
            examples=["how much memory does offload need?"],
        ),
    ]
    k: Annotated[
        int | None,
        Field(ge=1, le=MAX_K, description="Hits, at most one per document; unset: the setting k"),
    ] = None
    mode: Annotated[
        Mode,
        Field(description="hybrid: by meaning and words; dense: by meaning; lexical: by words"),
    ] = Mode.HYBRID
    where: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_FILTER_CHARS,
            description="Which documents may be found (docs/filters.md)",
            examples=["path:docs/** and type:md and modified>=2025-01-01 and not tag:draft"],
        ),
    ] = None
    instruction: Annotated[
        str | None,
        Field(
            max_length=MAX_INSTRUCTION_CHARS,
            description="The task, for models that take instructions",
        ),
    ] = None
    rerank: Annotated[
        bool, Field(description="Let the reranker of the service read the best hits and reorder")
    ] = False
    budget_ms: Annotated[
        float | None,
        Field(
            gt=0,
            le=MAX_BUDGET_S * 1000,
            description="Rerank as many as this time allows; unset: the setting rerank_depth",
        ),
    ] = None
    more: Annotated[
        int,
        Field(ge=0, le=MAX_MORE, description="Further matching chunks shown per document"),
    ] = 2
    neighbours: Annotated[
        int,
        Field(ge=0, le=MAX_NEIGHBOURS, description="Chunks shown before and after the best one"),
    ] = 0
    cursor: Annotated[
        str | None,
        Field(
            max_length=MAX_CURSOR_CHARS,
            description="`next` of the answer before: the hits after those, whatever was committed "
            "meanwhile",
        ),
    ] = None


class SearchRequest(SearchOptions):
    """A question."""

    collection: Annotated[
        CollectionName
        | Annotated[list[CollectionName], Field(min_length=1, max_length=MAX_COLLECTIONS)]
        | None,
        Field(description="One or several collections; unset: the default one"),
    ] = None


class SearchParameters(SearchOptions):
    """A question in an address."""

    collection: Annotated[
        list[CollectionName],
        Field(max_length=MAX_COLLECTIONS, description="May repeat; unset: the default one"),
    ] = []


class Parts(BaseModel):
    """What a score is made of; null for a search that was not made."""

    dense: Annotated[float | None, Field(description="Best cosine of the document")]
    lexical: Annotated[float | None, Field(description="Best BM25 score; 0 without a common word")]
    rerank: Annotated[float | None, Field(description="The reranker's verdict, 0 to 1")]


class Snippet(BaseModel):
    """The stretch of a chunk's text that shows best why it was found. Plain text, never HTML."""

    text: str
    start: Annotated[int, Field(description="Where it begins in the chunk's text, in code points")]
    matches: Annotated[
        list[tuple[int, int]],
        Field(description="Matching words: start and end in code points of the snippet"),
    ]


class FurtherMatch(BaseModel):
    """Another chunk of the same document that matches."""

    score: Annotated[float, Field(description="That the chunk would have alone")]
    chunk: ChunkRef
    snippet: Snippet


class DuplicateRef(BaseModel):
    """A document of the same content, folded into a hit."""

    id: int
    path: str
    member: str


class HitDocument(DocumentRef):
    """The document of a hit."""

    file: Annotated[
        FileState | None,
        Field(description="Whether the file is still as it was indexed; null: it lies in no file"),
    ]


class HitOut(BaseModel):
    """One ranked hit; higher scores are better."""

    rank: int
    score: Annotated[
        float, Field(description="hybrid: fusion of the parts; dense: cosine; lexical: BM25")
    ]
    parts: Parts
    collection: str
    document: HitDocument
    chunk: ChunkRef
    snippet: Snippet
    more: list[FurtherMatch]
    before: list[ChunkRef]
    after: list[ChunkRef]
    duplicates: list[DuplicateRef]


class RerankOut(BaseModel):
    """What became of the wish to rerank."""

    reranker: str | None
    reranked: Annotated[int, Field(description="Hits that it read")]
    candidates: Annotated[int, Field(description="Documents that it was offered")]
    skipped: Annotated[int, Field(description="Not read, for want of time: they stand behind")]
    budget_ms: float | None
    took_ms: float
    reason: Annotated[str | None, Field(description="Why nothing was reranked")]


class SearchAnswer(BaseModel):
    """Ranked hits."""

    query: str
    mode: Annotated[
        Literal["hybrid", "dense", "lexical"], Field(description="How the hits were found")
    ]
    degraded: Annotated[
        bool, Field(description="True: the model was out of reach, so only words were searched")
    ]
    degraded_reason: str | None
    took_ms: float
    hits: list[HitOut]
    next: Annotated[
        str | None, Field(description="Cursor of the next page; null: there are no more hits")
    ]
    rerank: Annotated[RerankOut | None, Field(description="null: it was not asked for")]
    timing: Annotated[dict[str, float], Field(description="Milliseconds by stage")]
