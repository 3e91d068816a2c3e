"""What every kind of index must do, whatever the vectors are like, against numpy brute force."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.storage.filters.where import AnyOf, Documents, Path
from indexer.storage.vectors.certificate import Effort
from indexer.storage.vectors.choice import CodeSpec, choose_codes
from indexer.storage.vectors.codes import Codes
from indexer.storage.vectors.index import VectorIndex
from indexer.storage.vectors.library import selector, threads
from indexer.storage.vectors.measure import moved_away
from indexer.storage.vectors.prefix import seen

from .conftest import DIMENSION, Floats, Plain, clustered

pytestmark = pytest.mark.usefixtures("codes_from_500_rows")


def exact_on_disk(plain: Plain, vectors: Floats) -> None:
    plain.add("a", vectors)


def exact_in_memory(plain: Plain, vectors: Floats) -> None:
    for part, some in enumerate(np.array_split(vectors, 7)):
        plain.add(f"a{part}", some, sync=False)


def codes(plain: Plain, vectors: Floats, prefix_dim: int = 0) -> None:
    plain.add("a", vectors)
    plain.build(prefix_dim=prefix_dim)


def codes_with_more_and_less(plain: Plain, vectors: Floats, prefix_dim: int = 0) -> None:
    """Some rows coded, some only on disk, some in memory, and some of each gone."""
    third = len(vectors) // 3
    plain.add("coded", vectors[:third])
    plain.add("dead", clustered(third, seed=9))
    plain.build(prefix_dim=prefix_dim)
    plain.add("rows", vectors[third : third + 50])
    plain.add("dying", clustered(20, seed=10), sync=False)
    plain.add("memory", vectors[third + 50 :], sync=False)
    plain.remove("dead", "dying", sync=False)


def codes_of_a_prefix(plain: Plain, vectors: Floats) -> None:
    codes(plain, vectors, prefix_dim=DIMENSION // 2)


def codes_of_a_prefix_with_more_and_less(plain: Plain, vectors: Floats) -> None:
    codes_with_more_and_less(plain, vectors, prefix_dim=DIMENSION // 2)


KINDS: dict[str, Callable[[Plain, Floats], None]] = {
    kind.__name__: kind
    for kind in (
        exact_on_disk,
        exact_in_memory,
        codes,
        codes_with_more_and_less,
        codes_of_a_prefix,
        codes_of_a_prefix_with_more_and_less,
    )
}


def all_equal(count: int) -> Floats:
    return np.tile(clustered(1), (count, 1))


def one_giant_cluster(count: int) -> Floats:
    vectors = clustered(1) + 0.01 * clustered(count, seed=3)
    vectors[: count // 100] = clustered(count // 100, seed=4)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def few_distinct(count: int) -> Floats:
    return clustered(5)[np.arange(count) % 5]


SHAPES: dict[str, Callable[[int], Floats]] = {
    shape.__name__: shape for shape in (clustered, all_equal, one_giant_cluster, few_distinct)
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_hits_are_true_distinct_and_as_many_as_asked(plain: Plain, kind: str, shape: str) -> None:
    KINDS[kind](plain, SHAPES[shape](1_800))
    names = list(plain.vectors)
    matrix = np.stack([plain.vectors[name] for name in names])
    reached: list[float] = []
    odd = [clustered(1)[0], clustered(1, seed=50)[0]]  # amid all, and far from all
    usual = moved_away(matrix[::120])  # a certificate speaks of the mean over such
    with plain.reader() as reader:
        for query in (*usual, *odd):
            best = np.sort(matrix @ query)[::-1]
            for k in (1, 10, 137):
                with reader.snapshot() as now:
                    hits = now.dense(query, k)
                    texts = now.chunks([hit.chunk_id for hit in hits])
                found = [texts[hit.chunk_id].text for hit in hits]
                assert len(found) == len(set(found)) == k
                scores = [float(plain.vectors[name] @ query) for name in found]
                assert [hit.score for hit in hits] == pytest.approx(scores, abs=1e-6)
                assert scores == pytest.approx(sorted(scores, reverse=True), abs=1e-6)
                reached.append(float(np.mean(np.array(scores) >= best[k - 1] - 1e-5)))
    if "codes" in kind:
        assert np.mean(reached[: 3 * len(usual)]) >= 0.98
    else:
        assert min(reached) == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_more_than_there_are_gives_all(plain: Plain, kind: str) -> None:
    KINDS[kind](plain, clustered(1_200))
    with plain.reader() as reader:
        found = plain.nearest(reader, clustered(1, seed=50)[0], 100_000)
    assert sorted(found) == sorted(plain.vectors)


@pytest.mark.parametrize("kind", KINDS)
def test_every_vector_finds_itself(plain: Plain, kind: str) -> None:
    KINDS[kind](plain, clustered(1_200))
    with plain.reader() as reader:
        for name in list(plain.vectors)[::60]:
            vector = plain.vectors[name]
            assert plain.nearest(reader, vector / np.linalg.norm(vector), 1) == [name]


@pytest.mark.parametrize("kind", KINDS)
def test_filter_that_lets_nothing_through_gives_nothing(plain: Plain, kind: str) -> None:
    KINDS[kind](plain, clustered(1_200))
    with plain.reader() as reader:
        for where in (Path("/no such/*"), Documents(frozenset()), AnyOf(())):
            assert reader.dense(clustered(1)[0], 10, where) == []


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 700),
    st.sampled_from([1, 3, 16, 33]),
    st.integers(1, 40),
    st.lists(st.integers(0, 10_000), max_size=30),
)
def test_any_mask_over_an_index_without_files(
    count: int, dimension: int, k: int, forbidden: list[int]
) -> None:
    """Ids with gaps and masks that are shorter than the ids reach: nothing forbidden is found."""
    from indexer.storage.vectors.exact import ExactRows

    rng = np.random.default_rng(count)
    rows = rng.standard_normal((count, dimension))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
    ids = np.sort(rng.permutation(10_000)[:count]).astype(np.int64)
    empty = VectorIndex.empty(dimension)
    index = VectorIndex(
        dimension,
        1,
        int(ids[-1]),
        None,
        None,
        empty.stored,
        empty.fresh,
        (ExactRows.of(ids, rows),),
    )
    allowed = np.ones(int(rng.integers(0, 10_001)), np.bool_)
    allowed[[i for i in forbidden if i < len(allowed)]] = False
    query = rows[0].astype(np.float32)
    found, scores = index.search(query, k, allowed)
    possible = [i for i, one in enumerate(ids) if one < len(allowed) and allowed[one]]
    true = rows[possible].astype(np.float32) @ query
    assert len(found) >= min(k, len(possible))
    assert set(found) <= {int(ids[i]) for i in possible}
    assert scores == pytest.approx(np.sort(true)[::-1][: len(scores)].tolist(), abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(20, 500),
    st.sampled_from([(8, 8), (33, 16), (33, 32), (64, 8), (40, 24)]),
    st.integers(1, 40),
    st.floats(0.01, 1),
)
def test_any_mask_over_codes_of_any_prefix(
    count: int, dimensions: tuple[int, int], k: int, share: float
) -> None:
    """With every row a candidate the answer is that of brute force, whatever the codes saw.

    Not to the very last row: FAISS leaves out one whose code is the worst in each of its parts.
    """
    dimension, prefix = dimensions
    rng = np.random.default_rng(count)
    vectors = rng.standard_normal((count, dimension))
    rows = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    with threads(1):
        made = Codes.train(choose_codes(count, prefix), seen(rows, prefix))
    assert list(made.add(rows)) == [count]
    mask = rng.random(count) < share
    mask[:2] = True
    query = rows[0].astype(np.float32)
    mapped: Any = SimpleNamespace(rows=rows, is_checked=True)
    effort = Effort(made.lists, candidates=count)
    true = np.sort(rows[mask].astype(np.float32) @ query)[::-1][: min(k, mask.sum() // 2)]
    found, scores = made.search(query[None], len(true), effort, mapped, selector(mask))
    assert mask[found].all()
    assert scores == pytest.approx(true.tolist(), abs=1e-5)


def test_codes_can_be_learned_from_fewer_rows_than_lists() -> None:
    sample = clustered(3)
    made = Codes.train(CodeSpec(64, 16), sample)
    assert list(made.add(sample.astype(np.float16))) == [3]
    assert made.nearest_codes(sample, 3, 64, None).shape == (3, 3)


@pytest.mark.parametrize("dimension", [8, 24, 50, 97, 384])
def test_every_dimension_has_codes(
    make_plain: Any, dimension: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from indexer.storage.vectors import choice

    monkeypatch.setattr(choice, "EXACT_ELEMENTS", 500 * dimension)
    plain = make_plain(f"d{dimension}", dimension)
    plain.add("a", clustered(900, dimension=dimension))
    assert plain.build() is not None
    with plain.reader() as reader:
        assert reader.status().index.kind == "codes"
        assert plain.recall(reader, clustered(20, seed=77, dimension=dimension)) >= 0.98
