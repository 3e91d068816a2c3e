"""The answer of /status."""

from typing import Annotated

from pydantic import BaseModel, Field


class ModelStatus(BaseModel):
    """A loaded model."""

    model: str
    mode: Annotated[str, Field(examples=["cpu:int8"])]
    engine: str
    dimension: int


class SearchesStatus(BaseModel):
    """How long the latest searches took, waiting included."""

    count: Annotated[int, Field(description="Answered since the service started")]
    latest: Annotated[int, Field(description="How many of them the percentiles rest on")]
    p50_ms: float | None
    p95_ms: float | None


class LiveRecallOut(BaseModel):
    """What checks of served searches against exact search say."""

    recall_at_10: float
    low: Annotated[float, Field(description="Bounds of its 90 % interval")]
    high: float
    checks: int
    effort_factor: Annotated[
        float, Field(description="How much harder searches look than when the index was built")
    ]


class IndexOut(BaseModel):
    """How a collection's vectors are searched."""

    kind: Annotated[str, Field(description="exact: all are compared; codes: candidates first")]
    rows: int
    covered: Annotated[int, Field(description="Rows that have codes; the rest is compared")]
    ram_bytes: int
    recall_at_10: Annotated[float | None, Field(description="Measured against exact search")]
    target_recall: float | None
    target_is_met: bool | None
    live: Annotated[
        LiveRecallOut | None, Field(description="Of searches that were served; null: not checked")
    ] = None


class ProgressOut(BaseModel):
    """How far an indexing run is."""

    files_done: int
    files_total: int
    chunks: int
    tokens_per_s: float
    elapsed_s: float
    eta_s: float | None


class IndexingStatus(BaseModel):
    """A process that is writing to a collection."""

    pid: int
    progress: Annotated[ProgressOut | None, Field(description="null: it does not say")]


class CollectionOut(BaseModel):
    """A collection as it is now."""

    name: str
    is_default: bool
    problem: Annotated[str | None, Field(description="Why it cannot be read; null: it can")] = None
    documents: int = 0
    chunks: int = 0
    vectors: int = 0
    generation: int = 0
    model: str | None = None
    dimension: int | None = None
    modes: Annotated[dict[str, int], Field(description="Vectors by the mode that made them")] = {}
    size_bytes: Annotated[int, Field(description="On disk, with both copies")] = 0
    index: IndexOut | None = None
    indexing: IndexingStatus | None = None


class CacheOut(BaseModel):
    """Vectors of earlier queries, kept in memory."""

    size_bytes: int
    hits: Annotated[int, Field(description="Queries whose vector was there")]
    misses: int


class QueueOut(BaseModel):
    """Requests, and those of them that wait for a model."""

    requests: Annotated[int, Field(description="Under way or waiting")]
    places: Annotated[int, Field(description="As many as may be; more are sent away")]
    waiting: Annotated[int, Field(description="For a model")]
    waiting_tokens: int
    refused: Annotated[int, Field(description="Sent away since the service started")]


class StatusAnswer(BaseModel):
    """What the service is doing, for people."""

    version: str
    uptime_s: float
    problem: Annotated[str | None, Field(description="Why the service is not ready; null: it is")]
    memory_bytes: Annotated[int, Field(description="Resident memory of the service's process")]
    models: list[ModelStatus]
    searches: SearchesStatus
    collections: list[CollectionOut]
    cache: CacheOut
    queue: QueueOut
