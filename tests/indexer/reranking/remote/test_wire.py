"""Answers of servers that rerank, honest and not."""

import json
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from indexer.embedding.remote.faults import AnswerFault
from indexer.reranking.remote.wire import Dialect, cap_bytes, request_of, scores_in

TWO = [{"index": 1, "score": 0.9}, {"index": 0, "score": -0.5}]


@pytest.mark.parametrize(
    "answer",
    [
        TWO,
        {"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": -0.5}]},
        [{**item, "document": "text", "meta_info": {}} for item in TWO],
    ],
)
def test_scores_go_where_their_index_says(answer: object) -> None:
    np.testing.assert_allclose(scores_in(answer, 2), [-0.5, 0.9])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "gave no list of scores: it does not rerank"),
        ("scores", "gave no list of scores"),
        ({"error": "model is loading"}, "but the error 'model is loading'"),
        ({"results": {"0": 1}}, "gave no list of scores"),
        (TWO[:1], "gave 1 scores for 2 texts"),
        ([*TWO, TWO[0]], "gave 3 scores for 2 texts"),
        ([TWO[0], TWO[0]], "gave index 1 where each of 0 to 1 belongs once"),
        ([TWO[0], {"index": 2, "score": 1}], "gave index 2 where"),
        ([TWO[0], {"index": -1, "score": 1}], "gave index -1 where"),
        ([TWO[0], {"index": False, "score": 1}], "gave index False where"),
        ([TWO[0], {"index": "0", "score": 1}], "gave index '0' where"),
        ([TWO[0], {"score": 1}], "gave index None where"),
        ([TWO[0], 0.5], "gave index None where"),
        ([TWO[0], {"index": 0}], "gave None where a score belongs"),
        ([TWO[0], {"index": 0, "score": None}], "gave None where a score belongs"),
        ([TWO[0], {"index": 0, "score": True}], "gave True where a score belongs"),
        ([TWO[0], {"index": 0, "score": "0.5"}], "gave '0.5' where a score belongs"),
        ([TWO[0], {"index": 0, "score": float("nan")}], "NaN or infinite"),
        ([TWO[0], {"index": 0, "score": float("-inf")}], "NaN or infinite"),
        ([TWO[0], {"index": 0, "score": 1e39}], "NaN or infinite"),
        ([TWO[0], {"index": 0, "score": 10**400}], "NaN or infinite"),
    ],
)
def test_anything_else_is_a_fault(answer: object, words: str) -> None:
    with pytest.raises(AnswerFault, match=words):
        scores_in(answer, 2)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["index", "score", "relevance_score", "results", "error"]), inner
        )
    ),
    max_leaves=12,
)


@given(answer=_JSON, count=st.integers(0, 4))
def test_any_answer_gives_scores_or_a_fault(answer: Any, count: int) -> None:
    try:
        scores = scores_in(answer, count)
    except AnswerFault:
        return
    assert scores.shape == (count,)
    assert np.isfinite(scores).all()


def test_requests_are_those_of_the_servers() -> None:
    assert request_of(Dialect.TEI, "m", "q", ["a"]) == {
        "query": "q",
        "texts": ["a"],
        "truncate": True,
        "raw_scores": False,
    }
    documents = {"query": "q", "documents": ["a"]}
    assert request_of(Dialect.DOCUMENTS, "m", "q", ["a"]) == {"model": "m", **documents}
    assert request_of(Dialect.DOCUMENTS, None, "q", ["a"]) == documents


def test_honest_answer_fits_under_the_cap() -> None:
    texts = ["\U0001f600" * 100_000] * 40
    answer = [{"index": i, "document": text, "score": 0.123456789} for i, text in enumerate(texts)]
    assert len(json.dumps(answer)) < cap_bytes(texts)
