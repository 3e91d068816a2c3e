"""Our figures against a second implementation, and the rules of BEIR."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation.quality.agreement import kendall_tau
from app.evaluation.quality.metrics import MEASURES, measured, per_query
from app.evaluation.quality.runs import Ranked, without_itself, write_run

NAMES = [f"d{i}" for i in range(12)]
GRADES = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3), min_size=1)


def plainly(qrels: dict[str, int], ranking: list[str]) -> dict[str, float]:
    """The measures as their papers define them."""
    relevant = {name for name, grade in qrels.items() if grade > 0}
    gains = [qrels.get(name, 0) for name in ranking]

    def dcg(of: list[int]) -> float:
        return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(of[:10], 1))

    ideal = dcg(sorted(qrels.values(), reverse=True))
    ranks = [rank for rank, name in enumerate(ranking, 1) if name in relevant]
    precisions = [n / rank for n, rank in enumerate(ranks, 1)]
    found = len(relevant & set(ranking[:10]))
    total = len(relevant)
    return {
        "ndcg@10": dcg(gains) / ideal if ideal else 0.0,
        "recall@10": found / total if total else 0.0,
        "recall@100": len(ranks) / total if total else 0.0,
        "mrr@10": 1 / ranks[0] if ranks and ranks[0] <= 10 else 0.0,
        "map@100": sum(precisions) / total if total else 0.0,
        "p@10": found / 10,
    }


@given(GRADES, st.permutations(NAMES), st.integers(0, 12), st.sampled_from([0.0, 1.0]))
def test_measures_are_those_of_their_definitions_also_where_scores_tie(
    grades: dict[str, int], order: list[str], length: int, step: float
) -> None:
    """The ranking counts, not the scores: with step 0 all of them tie."""
    ranking = order[:length]
    run = {"q": [Ranked(name, -step * rank) for rank, name in enumerate(ranking)]}
    found = per_query({"q": grades}, run)
    expected = plainly(grades, ranking)
    assert set(found) == set(MEASURES)
    for name, values in found.items():
        assert values == pytest.approx([expected[name]], abs=1e-6), name


def test_query_that_found_nothing_counts_as_zero() -> None:
    found = per_query({"a": {"x": 1}, "b": {"y": 1}}, {"b": [Ranked("y", 1.0)]})
    assert found["ndcg@10"] == [0.0, 1.0]
    quality = measured(found, {name: [1.0, 1.0] for name in MEASURES})
    assert quality["recall@10"].mean.value == 0.5
    assert quality["recall@10"].difference == -0.5
    assert quality["recall@10"].per_query == (0.0, 1.0)


def test_document_that_is_the_query_is_left_out() -> None:
    ranked = [Ranked("q1", 0.9), Ranked("d", 0.5)]
    assert without_itself(ranked, "q1", {"q1"}) == [Ranked("d", 0.5)]
    assert without_itself(ranked, "q2", {"q1", "q2"}) == ranked
    assert without_itself(ranked, "q1", {"q2"}) == ranked


def test_written_run_keeps_the_ranking_where_others_sort_by_score(tmp_path: Path) -> None:
    """trec_eval sorts by score and, where these tie, by name: backwards."""
    path = tmp_path / "run.trec"
    ranked = [Ranked("a b", 0.5), Ranked("z", 0.5), Ranked("100%", 0.4)]
    write_run({"q 1": ranked}, path, "mine")
    rows = [line.split(" ") for line in path.read_text().splitlines()]
    assert [row[:4] for row in rows] == [
        ["q%201", "Q0", "a%20b", "1"],
        ["q%201", "Q0", "z", "2"],
        ["q%201", "Q0", "100%25", "3"],
    ]
    scores = [float(row[4]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3
    assert {row[5] for row in rows} == {"mine"}


@pytest.mark.parametrize(
    ("ours", "theirs", "tau"),
    [
        (["a", "b", "c"], ["a", "b", "c"], 1.0),
        (["c", "b", "a"], ["a", "b", "c"], -1.0),
        (["a", "x", "c", "b"], ["a", "b", "y", "c"], 1 / 3),
        (["a"], ["b"], 1.0),
    ],
)
def test_kendall_tau_is_over_what_both_hold(ours: list[str], theirs: list[str], tau: float) -> None:
    assert kendall_tau(ours, theirs) == pytest.approx(tau)
