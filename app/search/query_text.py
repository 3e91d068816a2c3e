"""What of a query goes into the model, and how its vector is got."""

from collections.abc import Callable
from dataclasses import dataclass

from app.search.instructions import instruction_of
from app.search.query import Query
from indexer.embedding.embedder import Embedder
from indexer.storage.lexical_query import literal, parse_query
from indexer.types import Contract, Kind, Vector


@dataclass(frozen=True, slots=True)
class QueryText:
    """A text to embed, as which kind, with which task."""

    text: str  # without the marks that mean something to lexical search
    kind: Kind = Kind.QUERY
    instruction: str | None = None

    @classmethod
    def of(cls, query: Query, instruction: str | None = None) -> "QueryText":
        """What `SearchService` embeds of this query.

        `instruction`: the collection's own, for a query that names none.
        """
        if query.kind is not Kind.QUERY:
            return cls(literal(query.text).text, query.kind, query.instruction)
        own = query.instruction or instruction
        return cls(parse_query(query.text).text, query.kind, instruction_of(own))


VectorOf = Callable[[Embedder, Contract, QueryText], Vector]  # shape (dimension,)


def embed_query(embedder: Embedder, contract: Contract, query: QueryText) -> Vector:
    """The query's vector from the model."""
    del contract
    vector: Vector = embedder.embed([query.text], query.kind, query.instruction)[0]
    return vector
