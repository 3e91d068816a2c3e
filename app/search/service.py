"""Answer queries: the only reader that sees both the embedder and the store."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from app.search.answer import Answer, Hit, Mode
from app.search.fusion import Fused
from app.search.retrieval import Question, retrieve
from indexer.embedding.embedder import Embedder
from indexer.errors import ModelError, PlacementError, QueryError, SemsearchError
from indexer.storage.collection import Collection
from indexer.types import Contract, Kind, Scan, StoredChunk, Vector

# Longer queries are refused before any work: no question is this long, and tokenising is not free.
MAX_QUERY_CHARS = 32_768
# A model that could not be had is not asked for again at once: every query would wait for the hub.
RETRY_AFTER_S = 10.0


@dataclass(frozen=True, slots=True)
class _Found:
    """A document found in one collection, before merging."""

    collection: str
    contract: str
    rank: int
    item: Fused
    chunk: StoredChunk


class SearchService:
    """Answers queries over open collections.

    `embedder_of` gives the embedder of a contract; lexical search never calls it, so it needs no
    model. `admit` refuses an embedder that does not fit a collection (see `admission`). `scan`
    says which vectors are scored. Safe to call from several threads.
    """

    def __init__(
        self,
        embedder_of: Callable[[Contract], Embedder],
        admit: Callable[[Collection, Embedder], None] | None = None,
        scan: Scan = Scan.CHEAPEST,
    ) -> None:
        self._embedder_of = embedder_of
        self._scan = scan
        self._admit = admit
        self._failed: dict[str, tuple[float, SemsearchError]] = {}  # by contract: until when, why

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
        query: str,
        collections: Mapping[str, Collection],
        k: int = 10,
        mode: Mode = Mode.HYBRID,
        instruction: str | None = None,
    ) -> Answer:
        """The k best documents over all the named collections.

        A hybrid search whose model is out of reach is answered by words alone, marked as degraded.

        Raises:
            QueryError: an empty or over-long query, or an instruction where none can be used.
            ModelError, PlacementError: the collection's model is not to be had (dense mode).
            ContractError: the model at hand is not the collection's.
        """
        _check(query, k, mode, instruction)
        started = time.perf_counter()
        degraded_reason = None
        question = Question(query, mode, scan=self._scan)
        try:
            found = self._find_all(question, collections, k, instruction)
        except (ModelError, PlacementError) as error:
            if mode is not Mode.HYBRID:
                raise
            degraded_reason = str(error)
            question = Question(query, Mode.LEXICAL)
            found = self._find_all(question, collections, k, None)
        ranked = enumerate(_merge(found, question.mode)[:k], start=1)
        hits = tuple(_hit(rank, found, question.mode) for rank, found in ranked)
        took_ms = (time.perf_counter() - started) * 1000
        return Answer(query, question.mode, took_ms, hits, degraded_reason)

    def _find_all(
        self,
        question: Question,
        collections: Mapping[str, Collection],
        k: int,
        instruction: str | None,
    ) -> list[_Found]:
        return [
            found
            for name, collection in collections.items()
            for found in self._find(name, collection, question, k, instruction)
        ]

    def _find(
        self,
        name: str,
        collection: Collection,
        question: Question,
        k: int,
        instruction: str | None,
    ) -> list[_Found]:
        """The k best documents of one collection.

        The query is embedded before the snapshot is taken, so that no model work holds one open.
        A writer may have embedded the collection under another contract meanwhile: then the vector
        means nothing, and the query is embedded again.
        """
        while True:
            contract = collection.contract
            if question.mode is not Mode.LEXICAL:
                vector = self._vector(question.text, collection, contract, instruction)
                question = replace(question, vector=vector)
            with collection.snapshot() as now:
                if question.vector is not None and now.head.contract != contract:
                    continue
                items = retrieve(now, question, k)
                chunks = now.chunks([item.chunk_id for item in items])
                fingerprint = now.head.contract.fingerprint
            return [
                _Found(name, fingerprint, rank, item, chunks[item.chunk_id])
                for rank, item in enumerate(items, start=1)
            ]

    def _vector(
        self, query: str, collection: Collection, contract: Contract, instruction: str | None
    ) -> Vector:
        """The query's vector, shape (dimension,)."""
        embedder = self.embedder(contract)
        if self._admit is not None:
            self._admit(collection, embedder)
        vector: Vector = embedder.embed([query], Kind.QUERY, instruction)[0]
        return vector


def _check(query: str, k: int, mode: Mode, instruction: str | None) -> None:
    if not query.strip():
        raise QueryError("The query is empty. Say what you are looking for.")
    if len(query) > MAX_QUERY_CHARS:
        raise QueryError(
            f"The query has {len(query):,} characters; at most {MAX_QUERY_CHARS:,} are taken."
        )
    if k < 1:
        raise QueryError(f"k = {k}: ask for at least one hit.")
    if instruction is not None and mode is Mode.LEXICAL:
        raise QueryError(
            "An instruction steers the embedding model; lexical search uses none. "
            "Leave the instruction out, or use mode hybrid or dense."
        )


def _merge(found: list[_Found], mode: Mode) -> list[_Found]:
    """One ranking: by score where scores compare (one contract), else by rank, turn by turn.

    BM25 depends on a collection's own word counts, so a lexical ranking goes by rank.
    """
    one_contract = len({item.contract for item in found}) <= 1
    comparable = one_contract and mode is not Mode.LEXICAL
    if comparable or len({item.collection for item in found}) <= 1:
        return sorted(found, key=lambda f: (-f.item.score, f.collection, f.chunk.id))
    return sorted(found, key=lambda f: (f.rank, f.collection))


def _hit(rank: int, found: _Found, mode: Mode) -> Hit:
    item = found.item
    return Hit(
        rank,
        item.score,
        dense=None if mode is Mode.LEXICAL else item.dense,
        lexical=None if mode is Mode.DENSE else item.lexical,
        collection=found.collection,
        chunk=found.chunk,
    )
