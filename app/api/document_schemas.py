"""Requests and answers of /documents, with the examples that its OpenAPI page shows."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field

from app.api.schemas import ChunkRef, CollectionName, DocumentRef, Strict
from app.search.where import MAX_CHARS
from indexer.paths import MAX_ID_CHARS
from indexer.pipeline.put import PutStatus
from indexer.pipeline.upload import MAX_TITLE_CHARS, Upload, UploadFormat

# SQLite's largest row id: a larger number is no id, and must not reach the driver.
MAX_ID = 2**63 - 1
MAX_PAGE = 1_000  # documents of one listing
MAX_DOCUMENTS = 256  # of one request
# Of one request: a minute or two of the bundled model on two cores, and what is parsed in one go.
MAX_TEXT_CHARS = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

DocumentId = Annotated[int, Field(ge=1, le=MAX_ID)]
ExternalId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_ID_CHARS,
        description="The sender's own name for the document; a name, never a path",
        examples=["wiki/deploying"],
        # For readers of the schema; `upload_path` says in words which character is at fault.
        json_schema_extra={"pattern": r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]+$"},
    ),
]

WantedCollection = Annotated[CollectionName | None, Query(description="Unset: the default one")]

WantedWhere = Annotated[
    str | None,
    Query(
        max_length=MAX_CHARS,
        description="A filter, see docs/filters.md",
        examples=["tag:ops and not status:draft"],
    ),
]


class DocumentIn(Strict):
    """A document to store."""

    id: ExternalId
    text: Annotated[
        str, Field(max_length=MAX_TEXT_CHARS, examples=["# Deploying\n\nRun the pipeline."])
    ]
    format: Annotated[UploadFormat, Field(description="What the text is written in")] = (
        UploadFormat.TEXT
    )
    title: Annotated[
        str, Field(max_length=MAX_TITLE_CHARS, description="Unset: the text's own, if it has one")
    ] = ""
    metadata: Annotated[
        dict[str, Any],
        Field(
            description="Fields to filter by, beside those of the text's front matter",
            examples=[{"tags": ["ops"], "status": "final"}],
        ),
    ] = {}
    modified: Annotated[
        AwareDatetime | None, Field(description="When the document last changed; unset: now")
    ] = None

    def upload(self) -> Upload:
        """As the engine takes it."""
        return Upload(
            self.id,
            self.text,
            self.format,
            self.title,
            self.metadata,
            None if self.modified is None else _unix_ns(self.modified),
        )


def _unix_ns(moment: datetime) -> int:
    """Exactly: a float of seconds would not tell microseconds apart."""
    since = moment - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


class PutRequest(Strict):
    """Documents to add, or to put in place of those with the same ids."""

    documents: Annotated[list[DocumentIn], Field(min_length=1, max_length=MAX_DOCUMENTS)]
    collection: Annotated[CollectionName | None, Field(description="Unset: the default one")] = None
    create: Annotated[
        bool, Field(description="Make the collection, with the service's model, if there is none")
    ] = False


class PutOut(BaseModel):
    """What became of a document."""

    id: str
    document_id: int
    status: PutStatus
    chunks: int


class PutAnswer(BaseModel):
    """All of the request's documents, in its order."""

    collection: str
    documents: list[PutOut]


class DeleteAnswer(BaseModel):
    """The ids that documents had in this service."""

    collection: str
    deleted: list[int]


class ListedDocument(DocumentRef):
    """A document of a listing."""

    external_id: Annotated[
        str | None, Field(description="Its sender's id; null: it lies in a file")
    ]
    chunks: int


class ListAnswer(BaseModel):
    """A page of documents, by ascending id."""

    collection: str
    documents: list[ListedDocument]
    next: Annotated[
        int | None, Field(description="`after` of the next page; null: this was the last")
    ]


class DocumentAnswer(DocumentRef):
    """A whole document."""

    collection: str
    external_id: Annotated[
        str | None, Field(description="Its sender's id; null: it lies in a file")
    ]
    metadata: dict[str, Any]
    text: str
    chunks: list[ChunkRef]


class PassageAnswer(BaseModel):
    """A passage and those around it, in the text's order."""

    collection: str
    document: DocumentRef
    chunk: ChunkRef
    before: list[ChunkRef]
    after: list[ChunkRef]


class SimilarHit(BaseModel):
    """A document like the given one."""

    rank: int
    score: Annotated[float, Field(description="Cosine of its best chunk and the given document")]
    document: DocumentRef
    chunk: ChunkRef


class SimilarAnswer(BaseModel):
    """Ranked documents, most alike first."""

    collection: str
    document: DocumentRef
    hits: list[SimilarHit]
