"""The score of a chunk is the same whether it was searched for or asked about."""

import math
from typing import Any

import pytest

from indexer.errors import QueryError

TEXTS = [
    "alpha beta gamma",
    "alpha alpha alpha delta",
    "beta and alphas in a longer passage about nothing else",
    "gamma",
    "酵母分解糖分",
    "unrelated words",
]


def filled(world: Any) -> None:
    world.add(*(world.file(f"/{n}", text) for n, text in enumerate(TEXTS[:3])))
    world.add(*(world.file(f"/{n}", text) for n, text in enumerate(TEXTS[3:], start=3)))
    world.add(world.file("/again", TEXTS[0]))  # a second chunk of the same vector


def test_cosines_are_those_of_dense(world: Any) -> None:
    filled(world)
    with world.reader() as reader, reader.snapshot() as now:
        vector = world.vector_of("alpha")
        found = {hit.chunk_id: hit.score for hit in now.dense(vector, 100)}
        asked = now.cosines(vector, [*found, 999])
    assert len(found) == 7
    assert asked == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize("query", ["alpha", "alpha beta unrelated", "酵母 gamma", "and", "zzz", ""])
def test_lexical_scores_are_those_of_lexical(world: Any, query: str) -> None:
    filled(world)
    with world.reader() as reader, reader.snapshot() as now:
        ids = [hit.chunk_id for hit in now.dense(world.vector_of("alpha"), 100)]
        found = {hit.chunk_id: hit.score for hit in now.lexical(query, 100)}
        assert now.lexical_scores(query, [*ids, 999]) == pytest.approx(found)
        some = ids[::2]
        expected = {chunk_id: found[chunk_id] for chunk_id in some if chunk_id in found}
        assert now.lexical_scores(query, some) == pytest.approx(expected)


def test_lexical_weight_is_the_sum_of_the_words_idf(world: Any) -> None:
    filled(world)
    with world.reader() as reader, reader.snapshot() as now:
        idf = {n: math.log(1 + (7 - n + 0.5) / (n + 0.5)) for n in range(8)}
        assert now.lexical_weight("gamma") == pytest.approx(idf[3])
        assert now.lexical_weight("gamma, Gamma unheard") == pytest.approx(idf[3] + idf[0])
        assert now.lexical_weight("alphas") == pytest.approx(idf[4])  # its stem is alpha
        assert now.lexical_weight("") == now.lexical_weight("?!") == 0


def test_rescoring_nothing_or_an_empty_collection_gives_nothing(world: Any) -> None:
    with world.writer() as writer:
        writer.sync()
    with world.reader() as reader, reader.snapshot() as now:
        assert now.cosines(world.vector_of("x"), []) == {}
        assert now.lexical_scores("alpha", [1]) == {}
    filled(world)
    with world.reader() as reader, reader.snapshot() as now:
        assert now.lexical_scores("alpha", []) == {}
        assert now.cosines(world.vector_of("x"), []) == {}


def test_cosines_with_a_vector_of_another_model_are_refused(world: Any) -> None:
    filled(world)
    with (
        world.reader() as reader,
        reader.snapshot() as now,
        pytest.raises(QueryError, match="contract says"),
    ):
        now.cosines(world.vector_of("x", 8), [1])
