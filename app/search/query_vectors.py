"""Vectors of queries: from memory, from Redis, or from the model, whichever knows first."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from anyio.to_thread import run_sync

from app.search.query_text import QueryText, embed_query
from app.search.redis_vectors import RedisVectors
from app.search.stages import Stage, Stages
from app.search.vector_cache import VectorCache, query_key
from indexer.embedding.embedder import Embedder
from indexer.embedding.shared.embedder import SharedEmbedder
from indexer.errors import ModelError, PlacementError
from indexer.types import Contract, Vector

# Tokenising takes about a microsecond a character: a longer query does not hold up the others.
_SHORT_CHARS = 2_000

_DEGRADES = (ModelError, PlacementError)  # a hybrid search goes on without a vector
Known = Mapping[str, Vector | ModelError | PlacementError]  # by a contract's fingerprint


class QueryVectors:
    """The cache in front of the models. Threads may share it."""

    def __init__(self, memory: VectorCache, redis: RedisVectors | None = None) -> None:
        self.memory = memory
        self.redis = redis

    def vector(self, embedder: Embedder, contract: Contract, query: QueryText) -> Vector:
        """The query's vector, shape (dimension,); the caller waits for it.

        Raises: see `Embedder.embed`.
        """
        key = query_key(contract.fingerprint, query)
        found = self.memory.get(key)
        if found is not None:
            return found
        if self.redis is not None:
            found = self.redis.get(key, contract.dimension)
            if found is not None:
                self.memory.put(key, found)
                return found
        vector = embed_query(embedder, contract, query)
        self._remember(key, vector)
        return vector

    async def fetch(
        self, embedder: SharedEmbedder, contract: Contract, query: QueryText, stages: Stages
    ) -> Vector:
        """`vector` without a thread of the caller's. Cancelled, it leaves the model's queue.

        Raises:
            OverloadedError: too much waits for the model.
        """
        key = query_key(contract.fingerprint, query)
        found = self.memory.get(key)
        if found is not None:
            return found
        if self.redis is not None:
            found = await self.redis.fetch(key, contract.dimension)
            if found is not None:
                self.memory.put(key, found)
                return found
        with stages.time(Stage.TOKENISE):
            lengths = await _lengths(embedder, query)
        embedding = embedder.submit(
            [query.text], query.kind, query.instruction, urgent=True, lengths=lengths
        )
        embedded = await asyncio.wrap_future(embedding)
        stages.add(Stage.QUEUE, embedded.waited_s)
        stages.add(Stage.EMBED, embedded.worked_s)
        vector: Vector = embedded.vectors[0]
        self._remember(key, vector)
        return vector

    async def fetch_all(
        self,
        wanted: Sequence[tuple[SharedEmbedder, Contract]],
        query: QueryText,
        stages: Stages,
    ) -> "Prefetched":
        """The query's vectors under all these contracts.

        What a model says against it is raised where its vector is needed, see `Prefetched`.

        Raises:
            OverloadedError, UsageError: see `SharedEmbedder.submit`.
        """
        found = await asyncio.gather(
            *(self.fetch(*pair, query, stages) for pair in wanted), return_exceptions=True
        )
        known: dict[str, Vector | ModelError | PlacementError] = {}
        for (_, contract), vector in zip(wanted, found, strict=True):
            if isinstance(vector, BaseException) and not isinstance(vector, _DEGRADES):
                raise vector
            known[contract.fingerprint] = vector
        return Prefetched(self, query, known)

    def _remember(self, key: bytes, vector: Vector) -> None:
        self.memory.put(key, vector)
        if self.redis is not None:
            self.redis.put(key, vector)

    def close(self) -> None:
        """Drop the connections."""
        if self.redis is not None:
            self.redis.close()


class Prefetched:
    """Vectors of one query that were got before a thread was taken for its request."""

    def __init__(self, vectors: QueryVectors, query: QueryText, known: Known) -> None:
        self._vectors = vectors
        self._query = query
        self._known = known

    def vector(self, embedder: Embedder, contract: Contract, query: QueryText) -> Vector:
        """See `QueryVectors.vector`.

        A contract that changed meanwhile was not asked for; then the model is asked now.
        """
        known = self._known.get(contract.fingerprint)
        if known is None or query != self._query:
            return self._vectors.vector(embedder, contract, query)
        if isinstance(known, Exception):
            raise known
        return known


async def _lengths(embedder: SharedEmbedder, query: QueryText) -> list[int]:
    count = partial(embedder.tokenizer.lengths, [query.text], query.kind, query.instruction)
    return count() if len(query.text) <= _SHORT_CHARS else await run_sync(count)
