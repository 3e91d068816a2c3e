"""Which cell is taken, and which cells nothing beats, for planted outcomes."""

from app.evaluation.page.recommendation import pareto, recommend, standings
from app.evaluation.results import Results
from evaluation_results import cell, quality, results


def taken(found: Results) -> tuple[str, str]:
    made = recommend(found)
    assert made is not None
    return f"{made.cell.mode} {made.cell.index}", made.reason


def test_fastest_of_those_that_are_as_good_is_taken_and_why_is_said_in_numbers() -> None:
    mode, reason = taken(results())
    assert mode == "cpu:int8 exact"
    assert "answers in 5 ms (median, one client), the fastest of the 4 that are as good" in reason
    assert "with 410 MiB of RAM" in reason
    assert "cpu:int4 exact is faster with 3 ms" in reason
    assert reason.endswith("(p < 0.001).")


def test_significantly_worse_cell_is_never_taken_however_fast() -> None:
    good, bad = cell("cpu:fp32", p50_ms=500.0), cell("cpu:int4", p50_ms=0.1, lost=0.03, noise=1)
    assert taken(results(good, bad))[0] == "cpu:fp32 exact"


def test_best_cell_that_is_also_the_fastest_is_called_the_best() -> None:
    good, slow = cell("cpu:int8", p50_ms=1.0), cell("cpu:fp32", p50_ms=9.0, lost=0.03, noise=1)
    mode, reason = taken(results(good, slow))
    assert mode == "cpu:int8 exact"
    assert "is the best measured" in reason
    assert "faster" not in reason


def test_equal_quality_and_speed_are_decided_by_memory() -> None:
    cells = [cell("cpu:fp32", ram_mib=900), cell("cpu:bf16", ram_mib=300), cell("cpu:int8")]
    assert taken(results(*cells))[0] == "cpu:bf16 exact"


def test_without_times_quality_alone_decides() -> None:
    cells = [cell("cpu:int8", p50_ms=None, lost=0.01), cell("cpu:fp32", p50_ms=None)]
    mode, reason = taken(results(*cells))
    assert mode == "cpu:fp32 exact"
    assert reason.endswith("400 MiB of RAM; speed was not measured.")


def test_hybrid_quality_counts_where_it_was_measured_and_dense_where_not() -> None:
    """The cell whose vectors are worse but whose hybrid answers are better is the better one."""
    worse, better = quality(0.03, 1), quality()
    first = cell("cpu:fp32", quality={"dense": better["dense"], "hybrid": worse["hybrid"]})
    second = cell("cpu:int8", quality={"dense": worse["dense"], "hybrid": better["hybrid"]})
    assert taken(results(first, second))[0] == "cpu:int8 exact"
    dense = [
        one.model_copy(update={"quality": {"dense": one.quality["dense"]}})
        for one in (first, second)
    ]
    assert taken(results(*dense))[0] == "cpu:fp32 exact"


def test_no_quality_gives_no_recommendation() -> None:
    assert recommend(results(cell("cpu:fp32", quality={}))) is None


def test_pareto_front_is_exactly_the_cells_that_none_beats() -> None:
    cells = [
        cell("a", p50_ms=10.0),
        cell("b", p50_ms=10.0, lost=0.05),  # as fast as a, worse
        cell("c", p50_ms=4.0, lost=0.02),
        cell("d", p50_ms=5.0, lost=0.02),  # as good as c, slower
        cell("e", p50_ms=1.0, lost=0.2),
        cell("f", p50_ms=20.0),  # as good as a, slower
        cell("g", p50_ms=None),
        cell("h", p50_ms=4.0, lost=0.02),  # the same as c
    ]
    front = pareto(standings(results(*cells)))
    assert [one.cell.mode for one in front] == ["e", "c", "h", "a"]
