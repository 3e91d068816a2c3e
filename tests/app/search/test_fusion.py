"""Fusion as arithmetic: known scores, and laws that hold for any candidates."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.search.fusion import DENSE_WEIGHT, FULL_MATCH, Candidate, full_lexical, fuse

SCORES = st.one_of(st.just(0.0), st.floats(1e-6, 60))  # a quarter of less may round to 0
CANDIDATES = st.lists(
    st.builds(Candidate, st.integers(1, 99), st.integers(1, 8), st.floats(-1, 1), SCORES),
    unique_by=lambda candidate: candidate.chunk_id,
    max_size=25,
)


def best_of(candidates: list[Candidate]) -> float:
    return max((c.lexical for c in candidates), default=0.0)


def test_fuse_weighs_the_cosine_against_the_share_of_the_best_bm25() -> None:
    meant, said = Candidate(1, 10, 0.8, 0.0), Candidate(2, 20, 0.1, 12.0)
    both = Candidate(3, 30, 0.6, 6.0)
    fused = fuse([meant, said, both], full_lexical=12.0, weight=0.5)
    assert [(item.document_id, round(item.score, 6)) for item in fused] == [
        *((20, 0.55), (30, 0.55), (10, 0.4))
    ]


def test_fuse_adds_meaning_and_words_of_two_chunks_and_shows_the_better_one() -> None:
    chunks = [Candidate(7, 1, 0.9, 0.0), Candidate(8, 1, 0.1, 10.0)]
    (only,) = fuse(chunks, full_lexical=10.0, weight=0.65)
    assert (only.dense, only.lexical) == (0.9, 10.0)
    assert only.score == pytest.approx(0.65 * 0.9 + 0.35)
    assert only.chunk_id == 7
    assert fuse(chunks, 10.0, weight=0.4)[0].chunk_id == 8


def test_fuse_leaves_ties_in_the_order_of_chunk_ids() -> None:
    equal = [Candidate(chunk_id, 100 - chunk_id, 0.5, 3.0) for chunk_id in (4, 2, 9)]
    assert [item.chunk_id for item in fuse(equal, 3.0)] == [2, 4, 9]
    same_document = [Candidate(chunk_id, 1, 0.5, 3.0) for chunk_id in (4, 2, 9)]
    assert [item.chunk_id for item in fuse(same_document, 3.0)] == [2]


def test_full_lexical_is_the_best_score_unless_the_match_is_poor() -> None:
    assert full_lexical([4.0, 9.0], query_weight=12.0) == 9.0
    assert full_lexical([0.5, 0.1], query_weight=12.0) == pytest.approx(12.0 * FULL_MATCH)
    assert full_lexical([], query_weight=0.0) == 0.0


def test_fuse_nothing_gives_nothing() -> None:
    assert fuse([], 0.0) == []


@given(CANDIDATES, st.randoms())
def test_fuse_does_not_depend_on_the_order_of_candidates(
    candidates: list[Candidate], random: Random
) -> None:
    shuffled = list(candidates)
    random.shuffle(shuffled)
    assert fuse(shuffled, best_of(candidates)) == fuse(candidates, best_of(candidates))


@given(CANDIDATES)
def test_fuse_ranks_each_document_once_best_first(candidates: list[Candidate]) -> None:
    fused = fuse(candidates, best_of(candidates))
    assert sorted(item.document_id for item in fused) == sorted({c.document_id for c in candidates})
    keys = [(-item.score, item.chunk_id) for item in fused]
    assert keys == sorted(keys)
    owner = {c.chunk_id: c.document_id for c in candidates}
    assert all(owner[item.chunk_id] == item.document_id for item in fused)


@given(CANDIDATES)
def test_fuse_without_words_keeps_the_dense_order(candidates: list[Candidate]) -> None:
    silent = [replace(c, lexical=0.0) for c in candidates]
    fused = fuse(silent, 0.0)
    assert [item.dense for item in fused] == sorted((item.dense for item in fused), reverse=True)
    assert all(item.score == DENSE_WEIGHT * item.dense for item in fused)


@given(CANDIDATES)
def test_fuse_without_meaning_keeps_the_lexical_order(candidates: list[Candidate]) -> None:
    blind = [replace(c, dense=0.0) for c in candidates]
    fused = fuse(blind, best_of(blind))
    scores = [item.lexical for item in fused]
    # As near as floats can tell two products apart.
    assert scores == pytest.approx(sorted(scores, reverse=True), rel=1e-12, abs=1e-300)


@given(CANDIDATES.filter(bool), st.data())
def test_fuse_better_scores_never_lower_a_document(
    candidates: list[Candidate], data: st.DataObject
) -> None:
    best = max(best_of(candidates), 1.0)
    chosen = data.draw(st.sampled_from(candidates))
    better = replace(
        chosen,
        dense=data.draw(st.floats(chosen.dense, 1)),
        lexical=data.draw(st.floats(chosen.lexical, max(chosen.lexical, best))),
    )
    changed = [better if c is chosen else c for c in candidates]
    before = {item.document_id: item.score for item in fuse(candidates, best)}
    after = {item.document_id: item.score for item in fuse(changed, best)}
    mine = chosen.document_id
    assert after[mine] >= before[mine]
    assert {**after, mine: 0.0} == {**before, mine: 0.0}


@given(CANDIDATES)
def test_fuse_with_all_weight_on_one_side_is_that_side(candidates: list[Candidate]) -> None:
    assert [i.score for i in fuse(candidates, 7.0, 1.0)] == [
        i.dense for i in fuse(candidates, 7.0, 1.0)
    ]
    assert [i.score for i in fuse(candidates, 1.0, 0.0)] == [
        i.lexical for i in fuse(candidates, 1.0, 0.0)
    ]


@given(CANDIDATES, st.sampled_from([0.25, 0.5, 2.0, 1024.0]))
def test_fuse_does_not_depend_on_the_unit_of_bm25(candidates: list[Candidate], unit: float) -> None:
    scaled = [replace(c, lexical=c.lexical * unit) for c in candidates]
    before = {i.document_id: i.score for i in fuse(candidates, best_of(candidates))}
    after = {i.document_id: i.score for i in fuse(scaled, best_of(scaled))}
    assert after == pytest.approx(before)
