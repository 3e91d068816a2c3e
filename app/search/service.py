"""Answer queries: the only reader that sees both the embedder and the store."""

import time
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Self

from app.search.answer import Answer
from app.search.cursor import Shown, read_cursor, write_cursor
from app.search.found import Found, load, merge
from app.search.query import MAX_K, Mode, Query
from app.search.query_text import QueryText, VectorOf, embed_query
from app.search.reorder import offered, reorder
from app.search.rerank import Reranking, SecondLook
from app.search.retrieval import Question, retrieve
from app.search.stages import Stage, Stages
from indexer.embedding.embedder import Embedder
from indexer.errors import ModelError, PlacementError, SemsearchError, UsageError
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
    `query_vectors`), `reranking` what reorders the best hits where a query wants that. Safe to
    call from several threads.
    """

    def __init__(
        self,
        embedder_of: Callable[[Contract], Embedder],
        admit: Callable[[Collection, Embedder], None] | None = None,
        scan: Scan = Scan.CHEAPEST,
        watch: Callable[[str, Collection, Vector], None] | None = None,
        vector_of: VectorOf = embed_query,
        reranking: Callable[[], Reranking] | None = None,
    ) -> None:
        self._reranking = reranking
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

    def search(
        self,
        query: Query,
        collections: Mapping[str, Collection],
        stages: Stages | None = None,
    ) -> Answer:
        """The k best documents over all the named collections, or those after the cursor's.

        A hybrid search whose model is out of reach is answered by words alone, marked as degraded;
        one whose reranker is, in the order that was found.

        Args:
            query: what to look for.
            collections: where, by name.
            stages: the clock of the request; None: a new one.

        Raises:
            UsageError: a wish to rerank where no reranker is set.
            QueryError: an empty or over-long query, an instruction where none can be used, a value
                out of bounds, a filter that says nothing, or a cursor of another query.
            ModelError, PlacementError: the collection's model is not to be had (dense mode).
            ContractError: the model at hand is not the collection's.
        """
        query.check()
        shown = read_cursor(query, collections)
        started = time.perf_counter()
        stages = stages or Stages()
        reranking, second_look = self._second_look(query)
        count = query.k + 1 if reranking is None else offered(reranking, query)
        mode, degraded_reason = query.mode, None
        find = partial(self._find_all, collections=collections, shown=shown, count=count)
        try:
            found = find(query, stages=stages)
        except (ModelError, PlacementError) as error:
            if mode is not Mode.HYBRID:
                raise
            mode, degraded_reason = Mode.LEXICAL, str(error)
            lexical = replace(query, mode=mode, instruction=None)
            found = find(lexical, stages=stages)
        ranked = merge(found, mode)
        if reranking is not None:
            ranked, second_look = _reordered(ranked[:count], query, reranking, stages)
        page = ranked[: query.k]
        hits = tuple(f.hit(rank, mode) for rank, f in enumerate(page, start=shown.count + 1))
        after = None
        if len(ranked) > len(page):
            shown = shown.and_these((f.collection, f.item.document_id) for f in page)
            after = write_cursor(query, collections, shown)
        took_ms = (time.perf_counter() - started) * 1000
        timing = stages.result().milliseconds
        return Answer(query.text, mode, took_ms, hits, degraded_reason, after, second_look, timing)

    def _second_look(self, query: Query) -> tuple[Reranking | None, SecondLook | None]:
        """(what reorders the hits, why there is none although one is wanted)."""
        if not query.rerank:
            return None, None
        if self._reranking is None:
            raise UsageError("No reranker is at hand here.")
        try:
            return self._reranking(), None
        except (ModelError, PlacementError) as error:
            return None, SecondLook(None, str(error))

    def _find_all(
        self,
        query: Query,
        collections: Mapping[str, Collection],
        shown: Shown,
        count: int,
        stages: Stages,
    ) -> list[Found]:
        return [
            found
            for name, collection in collections.items()
            for found in self._find(name, collection, query, shown.of(name), count, stages)
        ]

    def _find(
        self,
        name: str,
        collection: Collection,
        query: Query,
        shown: frozenset[int],
        count: int,
        stages: Stages,
    ) -> list[Found]:
        """The `count` best documents of one collection that were not shown.

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
                vector = self._vector(query, collection, contract, stages)
                question = replace(question, vector=vector)
            with collection.snapshot() as now:
                if question.vector is not None and now.head.contract != contract:
                    continue
                wanted = min(count + len(shown), MAX_K + 1)
                ranked = retrieve(now, question, wanted, stages)
                unseen = [item for item in ranked.items if item.document_id not in shown]
                with stages.time(Stage.FETCH):
                    found = load(now, name, unseen[:count], ranked.files, query)
            if self._watch is not None and question.vector is not None and question.where is None:
                self._watch(name, collection, question.vector)
            return found

    def _vector(
        self, query: Query, collection: Collection, contract: Contract, stages: Stages
    ) -> Vector:
        """The vector of the query's text without its marks, shape (dimension,)."""
        embedder = self.embedder(contract)
        if self._admit is not None:
            self._admit(collection, embedder)
        stages.model, stages.mode = contract.model, str(embedder.mode)
        asked = QueryText.of(query, collection.instruction)
        return self._vector_of(embedder, contract, asked)


def _reordered(
    ranked: list[Found], query: Query, reranking: Reranking, stages: Stages
) -> tuple[list[Found], SecondLook]:
    """The documents after a second look, or as they were, with the reason."""
    try:
        with stages.time(Stage.RERANK):
            return reorder(ranked, QueryText.of(query), query.budget_s, reranking)
    except (ModelError, PlacementError) as error:
        return ranked, SecondLook(None, str(error))


def _filter(query: Query) -> Where | None:
    """What the filter means; None without one. Relative dates count from now."""
    if query.where is None:
        return None
    from app.search.where import parse_where

    return parse_where(query.where)
