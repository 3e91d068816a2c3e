"""Answer queries: the only reader that sees both the embedder and the store."""

import time
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from typing import Self

from app.search.answer import Answer
from app.search.cursor import Shown, read_cursor, write_cursor
from app.search.found import Found, load, merge
from app.search.query import MAX_K, Mode, Query
from app.search.query_text import QueryText, VectorOf, embed_query
from app.search.retrieval import Question, retrieve
from indexer.embedding.embedder import Embedder
from indexer.errors import ModelError, PlacementError, SemsearchError
from indexer.storage.collection import Collection
from indexer.storage.filters.where import Where
from indexer.types import Contract, Scan, Vector

# A model that could not be had is not asked for again at once: every query would wait for the hub.
RETRY_AFTER_S = 10.0


class SearchService:
    """Answers queries over open collections.

    `embedder_of` gives the embedder of a contract; lexical search never calls it, so it needs no
    model. `admit` refuses an embedder that does not fit a collection (see `admission`). `scan`
    says which vectors are scored. `watch` hears of every vector that all of a collection was
    searched by (see `live_recall`), `vector_of` gives the vector of a query (see
    `query_vectors`). Safe to call from several threads.
    """

    def __init__(
        self,
        embedder_of: Callable[[Contract], Embedder],
        admit: Callable[[Collection, Embedder], None] | None = None,
        scan: Scan = Scan.CHEAPEST,
        watch: Callable[[str, Collection, Vector], None] | None = None,
        vector_of: VectorOf = embed_query,
    ) -> None:
        self._embedder_of = embedder_of
        self._vector_of = vector_of
        self._watch = watch
        self._scan = scan
        self._admit = admit
        self._failed: dict[str, tuple[float, SemsearchError]] = {}  # by contract: until when, why

    def with_vectors(self, vector_of: VectorOf) -> Self:
        """The same service with the vectors of queries from elsewhere."""
        other = copy(self)
        other._vector_of = vector_of
        return other

    def embedder(self, contract: Contract) -> Embedder:
        """The embedder for queries under a contract.

        Raises:
            ModelError, PlacementError: it is not to be had; for a while in the same words, at once.
            ContractError: the model at hand is not the contract's.
        """
        key = contract.fingerprint
        until, reason = self._failed.get(key, (0.0, None))
        if reason is not None and time.monotonic() < until:
            raise type(reason)(str(reason))
        try:
            return self._embedder_of(contract)
        except (ModelError, PlacementError) as error:
            self._failed[key] = (time.monotonic() + RETRY_AFTER_S, error)
            raise

    def search(self, query: Query, collections: Mapping[str, Collection]) -> Answer:
        """The k best documents over all the named collections, or those after the cursor's.

        A hybrid search whose model is out of reach is answered by words alone, marked as degraded.

        Raises:
            QueryError: an empty or over-long query, an instruction where none can be used, a value
                out of bounds, a filter that says nothing, or a cursor of another query.
            ModelError, PlacementError: the collection's model is not to be had (dense mode).
            ContractError: the model at hand is not the collection's.
        """
        query.check()
        shown = read_cursor(query, collections)
        started = time.perf_counter()
        mode, degraded_reason = query.mode, None
        try:
            found = self._find_all(query, collections, shown)
        except (ModelError, PlacementError) as error:
            if mode is not Mode.HYBRID:
                raise
            mode, degraded_reason = Mode.LEXICAL, str(error)
            lexical = replace(query, mode=mode, instruction=None)
            found = self._find_all(lexical, collections, shown)
        ranked = merge(found, mode)
        page = ranked[: query.k]
        hits = tuple(f.hit(rank, mode) for rank, f in enumerate(page, start=shown.count + 1))
        after = None
        if len(ranked) > len(page):
            shown = shown.and_these((f.collection, f.item.document_id) for f in page)
            after = write_cursor(query, collections, shown)
        took_ms = (time.perf_counter() - started) * 1000
        return Answer(query.text, mode, took_ms, hits, degraded_reason, after)

    def _find_all(
        self, query: Query, collections: Mapping[str, Collection], shown: Shown
    ) -> list[Found]:
        return [
            found
            for name, collection in collections.items()
            for found in self._find(name, collection, query, shown.of(name))
        ]

    def _find(
        self, name: str, collection: Collection, query: Query, shown: frozenset[int]
    ) -> list[Found]:
        """The k best documents of one collection that were not shown, and one more.

        The query is embedded before the snapshot is taken, so that no model work holds one open.
        A writer may have embedded the collection under another contract meanwhile: then the vector
        means nothing, and the query is embedded again.
        """
        question = Question(
            query.text, query.mode, where=_filter(query), scan=self._scan, kind=query.kind
        )
        while True:
            contract = collection.contract
            if query.mode is not Mode.LEXICAL:
                vector = self._vector(question.query.text, query, collection, contract)
                question = replace(question, vector=vector)
            with collection.snapshot() as now:
                if question.vector is not None and now.head.contract != contract:
                    continue
                wanted = min(query.k + 1 + len(shown), MAX_K + 1)
                ranked = retrieve(now, question, wanted)
                unseen = [item for item in ranked.items if item.document_id not in shown]
                found = load(now, name, unseen[: query.k + 1], ranked.files, query)
            if self._watch is not None and question.vector is not None and question.where is None:
                self._watch(name, collection, question.vector)
            return found

    def _vector(
        self, text: str, query: Query, collection: Collection, contract: Contract
    ) -> Vector:
        """The vector of the query's text without its marks, shape (dimension,)."""
        embedder = self.embedder(contract)
        if self._admit is not None:
            self._admit(collection, embedder)
        return self._vector_of(embedder, contract, QueryText(text, query.kind, query.instruction))


def _filter(query: Query) -> Where | None:
    """What the filter means; None without one. Relative dates count from now."""
    if query.where is None:
        return None
    from app.search.where import parse_where

    return parse_where(query.where)
