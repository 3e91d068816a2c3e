"""The second look: a reranker reads the best documents found, and reorders them."""

from dataclasses import replace

from app.search.found import Found
from app.search.query import Query
from app.search.query_text import QueryText
from app.search.rerank import Reranking, SecondLook
from indexer.types import StoredChunk

# Documents that a search with a time budget offers to the reranker: it reads as many as it can.
OFFERED = 50


def offered(reranking: Reranking, query: Query) -> int:
    """How many documents are needed, so that the reranker has something to choose from."""
    return max(query.k + 1, reranking.depth if query.budget_s is None else OFFERED)


def reorder(
    ranked: list[Found], query: QueryText, budget_s: float | None, reranking: Reranking
) -> tuple[list[Found], SecondLook]:
    """The documents in the reranker's order, those that it did not read behind them as they were.

    Args:
        ranked: best first.
        query: its text without marks, and its instruction.
        budget_s: the time there is; None: as the settings say.
        reranking: what reads.

    Raises:
        ModelError, PlacementError: the reranker gives nothing; `ranked` is still good.
    """
    passages = [_passage(found.chunk) for found in ranked]
    result = reranking.rerank(query.text, passages, query.instruction, budget_s)
    found = [replace(ranked[place], rerank=result.scores[place]) for place in result.order]
    return found, SecondLook(result)


def _passage(chunk: StoredChunk) -> str:
    """As the embedder saw it: below its title and headings."""
    names = [name for name in (chunk.title, *chunk.heading) if name]
    head = " > ".join(dict.fromkeys(names))  # a title is often the first heading
    return f"{head}\n\n{chunk.text}" if head else chunk.text
