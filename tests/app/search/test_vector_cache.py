"""Vectors in memory: which are the same query, what goes first, what is never kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.search.query_text import QueryText
from app.search.vector_cache import VectorCache, is_unit, query_key
from indexer.types import Kind, Vector


def unit(number: int, dimension: int = 8) -> Vector:
    return np.eye(dimension, dtype=np.float32)[number % dimension]


NAMES = st.text() | st.text(alphabet='",[]\\null \ud83d\ude00😀', max_size=6)
QUERIES = st.builds(QueryText, NAMES, st.sampled_from(Kind), st.none() | NAMES)


@given(st.tuples(NAMES, QUERIES), st.tuples(NAMES, QUERIES))
def test_keys_are_equal_for_the_same_query_alone(
    one: tuple[str, QueryText], other: tuple[str, QueryText]
) -> None:
    assert (query_key(*one) == query_key(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # The model sees two replacement characters, and the emoji.
        (QueryText("\ud83d\ude00"), QueryText("😀")),
        (QueryText("x"), QueryText("x", instruction="")),
        (QueryText("x"), QueryText("x", Kind.DOCUMENT)),
    ],
    ids=["surrogates", "instruction", "kind"],
)
def test_key_tells_apart_what_looks_the_same(one: QueryText, other: QueryText) -> None:
    assert query_key("f", one) != query_key("f", other)
    assert query_key("f", one) != query_key("g", one)


def test_least_recently_used_go_first_and_the_bytes_hold() -> None:
    cache = VectorCache(3 * 400)
    for number in range(3):
        cache.put(bytes([number]), unit(number))
    assert cache.get(b"\x00") is not None
    cache.put(b"\x03", unit(3))
    assert [cache.get(bytes([n])) is not None for n in range(4)] == [True, False, True, True]
    assert (cache.hits, cache.misses, len(cache)) == (4, 1, 3)
    assert cache.bytes <= 1200
    for _ in range(5):
        cache.put(b"\x03", unit(4))  # again, not as well
    assert len(cache) == 3
    found = cache.get(b"\x03")
    assert found is not None
    assert np.array_equal(found, unit(4))


def test_nothing_is_kept_where_there_is_no_room() -> None:
    cache = VectorCache(0)
    cache.put(b"a", unit(0))
    assert (cache.get(b"a"), cache.bytes, len(cache)) == (None, 0, 0)


def test_what_is_kept_is_a_copy_that_nobody_can_write_to() -> None:
    cache = VectorCache(1 << 20)
    batch = np.stack([unit(0), unit(1)])
    cache.put(b"a", batch[0])
    batch[:] = 9
    found = cache.get(b"a")
    assert found is not None
    assert found.base is None
    assert np.array_equal(found, unit(0))
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.6, 0.8], True),
        ([0.0, 0.0], False),
        ([0.6, 0.9], False),
        ([np.nan, 1.0], False),
        ([np.inf, 0.0], False),
        ([3e38, 3e38], False),
        ([], False),
    ],
)
def test_only_unit_vectors_count(values: list[float], expected: bool) -> None:
    vector = np.array(values, dtype=np.float32)
    assert is_unit(vector) is expected
    cache = VectorCache(1 << 20)
    cache.put(b"a", vector)
    assert (len(cache) == 1) is expected
