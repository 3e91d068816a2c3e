"""What each tool takes. Unknown parameters are refused: a misspelt one must not be ignored."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.search.cursor import MAX_CURSOR_CHARS
from app.search.query import MAX_FILTER_CHARS, MAX_INSTRUCTION_CHARS, MAX_QUERY_CHARS, Mode
from app.settings import COLLECTION_NAME

MAX_SEARCHES = 8
MAX_DOCUMENTS = 50  # of one multi_get
MAX_LINES = 100_000
MAX_BYTES = 1 << 20
MAX_NAME_CHARS = 4_096

Text = Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS)]
CollectionName = Annotated[str, StringConstraints(pattern=COLLECTION_NAME)]
Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_NAME_CHARS,
        description="A docid of a result (#12), a path, or the end of one (docs/backups.md)",
    ),
]


class Arguments(BaseModel):
    """Of any tool."""

    model_config = ConfigDict(extra="forbid")


class OneSearch(Arguments):
    """One of several searches whose rankings are put together."""

    type: Annotated[
        Literal["lex", "vec", "hyde"],
        Field(
            description="lex: by words; vec: by meaning; hyde: by meaning, given a passage that "
            "would be a good answer"
        ),
    ]
    query: Text


class QueryArguments(Arguments):
    """Search the collections. Give `query`, or `searches` for a ranking made of several."""

    query: Annotated[Text | None, Field(description="A question or words")] = None
    searches: Annotated[list[OneSearch] | None, Field(min_length=1, max_length=MAX_SEARCHES)] = None
    mode: Annotated[
        Mode, Field(description="How `query` is searched: by meaning and words, or one of them")
    ] = Mode.HYBRID
    limit: Annotated[int, Field(ge=1, le=100, description="Results, one per document")] = 10
    minScore: Annotated[  # noqa: N815 - the name that agents know from other servers
        float | None, Field(description="Leave out results that score lower")
    ] = None
    collections: Annotated[list[CollectionName] | None, Field(min_length=1, max_length=64)] = None
    where: Annotated[
        str | None,
        Field(
            max_length=MAX_FILTER_CHARS,
            description="Which documents: path:docs/** and type:md and modified>=2025-01-01",
        ),
    ] = None
    intent: Annotated[
        str | None,
        Field(
            max_length=MAX_INSTRUCTION_CHARS,
            description="The task, for models that take an instruction",
        ),
    ] = None
    cursor: Annotated[
        str | None,
        Field(max_length=MAX_CURSOR_CHARS, description="next_cursor of the results before"),
    ] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "QueryArguments":
        if (self.query is None) == (self.searches is None):
            raise ValueError("give either query or searches")
        if self.searches is not None and self.cursor is not None:
            raise ValueError("a cursor goes with query; searches have one page")
        if self.searches is not None and self.minScore is not None:
            raise ValueError("minScore goes with query; searches are ranked by places, not scores")
        return self


class GetArguments(Arguments):
    """Read a document, or some of its lines."""

    file: Name
    collection: CollectionName | None = None
    fromLine: Annotated[int, Field(ge=1, description="First line, from 1")] = 1  # noqa: N815
    maxLines: Annotated[int | None, Field(ge=1, le=MAX_LINES)] = None  # noqa: N815
    lineNumbers: Annotated[bool, Field(description="Put its number before each line")] = (  # noqa: N815
        False
    )


class MultiGetArguments(Arguments):
    """Read several documents: a path pattern (docs/*.md), or names and docids."""

    pattern: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_NAME_CHARS,
            description="A path pattern (docs/**/*.md), or names and docids separated by commas",
        ),
    ]
    collection: CollectionName | None = None
    maxLines: Annotated[int | None, Field(ge=1, le=MAX_LINES)] = None  # noqa: N815
    maxBytes: Annotated[  # noqa: N815
        int, Field(ge=1, le=MAX_BYTES, description="Longer documents are named, not read")
    ] = 10_240


class SimilarArguments(Arguments):
    """Find documents like a given one."""

    file: Name
    collection: CollectionName | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 10


class StatusArguments(Arguments):
    """What there is to search."""
