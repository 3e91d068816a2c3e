"""Measures of retrieval quality, computed by ir-measures (trec_eval)."""

from collections.abc import Sequence
from typing import Any

from app.evaluation.quality.runs import Run
from app.evaluation.results import Measure
from app.evaluation.statistics import mean_over_queries, paired_p
from app.judging.read import Qrels
from indexer.errors import UsageError

DEPTH = 100  # documents in a ranking that is measured
# Our name -> ir-measures'. MRR@10 is its RR@10; MAP is cut where the rankings end.
MEASURES = {
    "ndcg@10": "nDCG@10",
    "recall@10": "R@10",
    "recall@100": "R@100",
    "mrr@10": "RR@10",
    "map@100": "AP@100",
    "p@10": "P@10",
}
PRIMARY = "ndcg@10"

PerQuery = dict[str, list[float]]  # {measure: a value for each judged query, in their order}


def per_query(qrels: Qrels, run: Run) -> PerQuery:
    """Every measure of every judged query; 0 where the run has nothing for it.

    The order of the run counts, not its scores: trec_eval would break ties by name.

    Args:
        qrels: grades above 0 are relevant.
        run: rankings down to `DEPTH`, without a document twice.
    """
    measures = _library()
    wanted = {name: measures.parse_measure(text) for name, text in MEASURES.items()}
    judged = {query: dict(of) for query, of in qrels.items()}
    ranked = {
        query: {item.document: float(-rank) for rank, item in enumerate(run.get(query, ()))}
        for query in qrels
    }
    names = {measure: name for name, measure in wanted.items()}
    found: dict[str, dict[str, float]] = {name: {} for name in wanted}
    for metric in measures.iter_calc(list(wanted.values()), judged, ranked):
        found[names[metric.measure]][metric.query_id] = metric.value
    return {name: [of.get(query, 0.0) for query in qrels] for name, of in found.items()}


def measured(values: PerQuery, reference: PerQuery | None = None) -> dict[str, Measure]:
    """Means with intervals, and how they differ from a reference's."""
    return {
        name: _measure(of, reference[name] if reference else None) for name, of in values.items()
    }


def _measure(values: Sequence[float], reference: Sequence[float] | None) -> Measure:
    mean = mean_over_queries(values)
    kept = tuple(round(value, 6) for value in values)
    if reference is None:
        return Measure(mean=mean, per_query=kept)
    difference = mean.value - sum(reference) / len(reference)
    return Measure(mean=mean, per_query=kept, difference=difference, p=paired_p(values, reference))


def _library() -> Any:
    try:
        import ir_measures
    except ImportError as error:
        raise UsageError(
            "Measuring quality needs ir-measures, which is not installed. Get it with: pip install "
            "'semsearch[eval]'"
        ) from error
    return ir_measures
