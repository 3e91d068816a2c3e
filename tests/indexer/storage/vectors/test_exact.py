"""Rows that a filter leaves, scored: by FAISS's selector, or copied together block after block."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.storage.vectors import exact
from indexer.storage.vectors.exact import ExactRows


@pytest.fixture(scope="module", params=["selector", "copied", "copied in small blocks"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 400),
    st.sampled_from([1, 3, 16, 33]),
    st.integers(1, 40),
    st.floats(0, 1),
    st.sampled_from([0, 8, 64]),
)
def test_best_of_the_rows_that_pass_are_found_with_their_ties(
    way: str, count: int, dimension: int, k: int, share: float, repeated: int
) -> None:
    rng = np.random.default_rng(count)
    vectors = rng.standard_normal((count, dimension))
    rows = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    rows[:repeated] = rows[0]
    allowed = rng.random(count + 1) < share
    query = rows[:1].astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_GATHERED", 10_000 if way == "selector" else 1)
        if way == "copied in small blocks":
            patch.setattr(exact, "_BLOCK_BYTES", 7 * dimension * rows.itemsize)
        part = ExactRows.of(np.arange(1, count + 1), rows)
        positions, scores = part.search(query, k, part.passing(allowed))
    passing = np.flatnonzero(allowed[1:])
    true = np.sort(rows[passing].astype(np.float32) @ query[0])[::-1]
    assert len(set(positions.tolist())) == len(positions) >= min(k, len(passing))
    assert set(positions.tolist()) <= set(passing.tolist())
    assert scores == pytest.approx(true[: len(scores)], abs=1e-5)
    if len(true) > len(scores):  # nothing as good as the k-th was left out
        assert scores[k - 1] > true[len(scores)] - 1e-5
