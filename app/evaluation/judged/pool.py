"""What to judge for a query: what every way of searching finds, in an order that tells nothing."""

from dataclasses import dataclass
from hashlib import sha256

from app.judging.names import document_name
from app.search.query import Mode, Query
from app.search.service import SearchService
from indexer.storage.collection import Collection
from indexer.types import StoredChunk


@dataclass(frozen=True, slots=True)
class Pooled:
    """A document to judge, by the chunk that was found."""

    name: str
    chunk: StoredChunk


def pool(service: SearchService, query: str, collection: Collection, k: int) -> list[Pooled]:
    """The k best documents of every mode, each once, in blind order.

    A set judged on what one mode finds would favour that mode, so a mode that cannot be asked is an
    error. Shown by rank, the first would look better than they are; the order comes from a hash
    of query and name, and is the same whenever the query is judged again.

    Raises:
        SemsearchError: see `SearchService.search`.
    """
    chunks: dict[tuple[bytes, str], StoredChunk] = {}
    for mode in (Mode.DENSE, Mode.HYBRID, Mode.LEXICAL):  # without its model, dense says why
        for hit in service.search(Query(query, mode, k), {"": collection}).hits:
            chunks.setdefault((hit.chunk.path, hit.chunk.member), hit.chunk)
    with collection.snapshot() as now:
        roots = now.roots()
    found = [Pooled(document_name(chunk, roots), chunk) for chunk in chunks.values()]
    return sorted(found, key=lambda one: sha256(f"{query}\0{one.name}".encode()).digest())
