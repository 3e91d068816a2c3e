"""A query's vector from memory, from Redis, from the model: who is asked, and who need not be."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from app.search.query_text import QueryText
from app.search.query_vectors import Prefetched, QueryVectors
from app.search.stages import Stage, Stages
from app.search.vector_cache import VectorCache, query_key
from gated_embedder import POISON, GatedEmbedder
from indexer.embedding.shared.embedder import SharedEmbedder
from indexer.embedding.shared.line import Bounds
from indexer.embedding.spec import ModelSpec
from indexer.errors import ModelError, OverloadedError
from indexer.types import Contract, Kind, Vector


class FakeRedis:
    """Holds what is put; counts questions."""

    def __init__(self) -> None:
        self.held: dict[bytes, Vector] = {}
        self.asked = 0

    def get(self, key: bytes, dimension: int) -> Vector | None:
        self.asked += 1
        found = self.held.get(key)
        return found if found is None or len(found) == dimension else None

    async def fetch(self, key: bytes, dimension: int) -> Vector | None:
        return self.get(key, dimension)

    def put(self, key: bytes, vector: Vector) -> None:
        self.held[key] = vector

    def close(self) -> None:
        self.held.clear()


@pytest.fixture
def inner(minilm_spec: ModelSpec) -> GatedEmbedder:
    return GatedEmbedder(minilm_spec)


@pytest.fixture
def shared(inner: GatedEmbedder) -> Iterator[SharedEmbedder]:
    with SharedEmbedder(inner, Bounds(requests=1)) as shared:
        yield shared
        inner.gate.set()


@pytest.fixture
def contract(minilm_spec: ModelSpec) -> Contract:  # that of tests/app/search has 16 dimensions
    return minilm_spec.contract("1/256")


TEA = QueryText("tea")


def fetch(
    vectors: QueryVectors, embedder: SharedEmbedder, contract: Contract, query: QueryText
) -> Vector:
    return asyncio.run(vectors.fetch(embedder, contract, query, Stages()))


def test_both_ways_ask_the_same_places_in_order(
    inner: GatedEmbedder, shared: SharedEmbedder, contract: Contract
) -> None:
    redis: Any = FakeRedis()
    vectors = QueryVectors(VectorCache(1 << 20), redis)
    expected = inner.expected(["tea"], Kind.QUERY)[0]
    for ask in (vectors.vector, partial(fetch, vectors)):
        for _ in range(2):
            assert np.array_equal(ask(shared, contract, TEA), expected)
    assert (inner.calls, redis.asked) == ([("tea",)], 1)
    for ask in (vectors.vector, partial(fetch, vectors)):
        vectors.memory = VectorCache(1 << 20)  # as after a restart
        assert np.array_equal(ask(shared, contract, TEA), expected)
        assert len(vectors.memory) == 1
    assert (inner.calls, redis.asked) == ([("tea",)], 3)
    vectors.close()
    assert redis.held == {}


def test_another_contract_is_another_vector(
    inner: GatedEmbedder, shared: SharedEmbedder, contract: Contract
) -> None:
    vectors = QueryVectors(VectorCache(1 << 20))
    other = replace(contract, chunker="1/128")
    fetch(vectors, shared, contract, TEA)
    fetch(vectors, shared, other, TEA)
    vectors.close()
    assert inner.calls == [("tea",), ("tea",)]
    assert vectors.memory.get(query_key(other.fingerprint, TEA)) is not None


def test_long_query_is_tokenised_beside_the_loop(
    inner: GatedEmbedder, shared: SharedEmbedder, contract: Contract
) -> None:
    text = "word " * 1000
    found = fetch(QueryVectors(VectorCache(0)), shared, contract, QueryText(text))
    assert np.array_equal(found, inner.expected([text], Kind.QUERY)[0])


def prefetch(query: str, *wanted: Any) -> Prefetched:
    vectors = QueryVectors(VectorCache(0))
    return asyncio.run(vectors.fetch_all(wanted, QueryText(query), Stages()))


def test_prefetched_are_taken_and_what_was_not_is_asked_for(
    inner: GatedEmbedder, shared: SharedEmbedder, contract: Contract
) -> None:
    other = replace(contract, chunker="1/128")
    got = prefetch("tea", (shared, contract))
    expected = inner.expected(["tea"], Kind.QUERY)[0]
    assert np.array_equal(got.vector(shared, contract, TEA), expected)
    assert len(inner.calls) == 1
    assert np.array_equal(got.vector(shared, other, TEA), expected)
    assert len(inner.calls) == 2
    passage = QueryText("tea", Kind.DOCUMENT)  # not what was fetched
    got.vector(shared, contract, passage)
    assert len(inner.calls) == 3


def test_fault_of_a_model_is_raised_where_its_vector_is_needed(
    inner: GatedEmbedder, shared: SharedEmbedder, contract: Contract
) -> None:
    got = prefetch(POISON, (shared, contract))
    with pytest.raises(ModelError, match="NaN"):
        got.vector(shared, contract, QueryText(POISON))
    assert len(inner.calls) == 1


def test_full_queue_is_raised_at_once_and_cancelling_leaves_it(
    inner: GatedEmbedder, shared: SharedEmbedder, contract: Contract
) -> None:
    vectors, stages = QueryVectors(VectorCache(0)), Stages()

    def fetch(text: str) -> Coroutine[Any, Any, Vector]:
        return vectors.fetch(shared, contract, QueryText(text), stages)

    async def ask() -> None:
        first = asyncio.create_task(fetch("first"))
        while not inner.entered.acquire(blocking=False):
            await asyncio.sleep(0.001)
        second = asyncio.create_task(fetch("second"))
        while shared.counters.waiting == 0:
            await asyncio.sleep(0.001)
        with pytest.raises(OverloadedError):
            await vectors.fetch_all([(shared, contract)], QueryText("third"), Stages())
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert shared.counters.dropped == 1
        inner.gate.set()
        await first

    inner.gate.clear()
    asyncio.run(ask())
    assert inner.calls == [("first",)]
    assert [*stages.result().seconds] == [Stage.TOKENISE, Stage.QUEUE, Stage.EMBED]
