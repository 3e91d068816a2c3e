"""Gates: read strictly, checked on every cell, closed where nothing was measured."""

import pytest

from app.evaluation.gates import Gates, parse_least, parse_most
from app.evaluation.quality.metrics import MEASURES, measured
from app.evaluation.results import (
    AnnRecall,
    Cell,
    Data,
    Estimate,
    Indexing,
    Machine,
    NotRun,
    Results,
    Speed,
)
from app.evaluation.statistics import times_of
from indexer.errors import UsageError
from indexer.types import Scan

QUERIES = tuple(f"q{i}" for i in range(60))


def exactly(value: float) -> Estimate:
    return Estimate(value=value, low=value, high=value)


def cell(mode: str, ndcg: list[float], *, p95: float = 100.0, ann: float | None = None) -> Cell:
    times = times_of([[p95] * 20] * 5)
    return Cell(
        model="m",
        dimension=8,
        mode=mode,
        index=Scan.CODES if ann is not None else Scan.EXACT,
        engine="e",
        quality={"dense": measured(dict.fromkeys(MEASURES, ndcg))},
        ann=None if ann is None else AnnRecall(recall_10=exactly(ann), build_s=1, index_bytes=1),
        indexing=Indexing(measured="", documents=1, passages=1, tokens=1, seconds=1, model_s=1),
        speed=Speed(
            load_s=exactly(1),
            cold_ms=times,
            embed_ms={1: times},
            search_ms={1: times},
            queries_per_s={1: exactly(1)},
            tokens_per_s=exactly(1),
            passages_per_s=exactly(1),
        ),
        peak_ram_bytes=3 << 30,
    )


def results(*cells: Cell, checksum: str = "ab", ids: tuple[str, ...] = QUERIES) -> Results:
    return Results(
        started="",
        seconds=1,
        command="",
        machine=Machine(cpu="c", cores=2, threads=2, instructions=(), ram_bytes=1, gpus=()),
        versions={},
        commit=None,
        data=Data(
            name="set",
            documents=1,
            query_ids=ids,
            judgements=1,
            checksums={"corpus.jsonl": checksum},
            whole_documents=False,
        ),
        rounds=5,
        warmup=3,
        reference=cells[0].label if cells else "",
        cells=cells,
        not_run=(),
    )


def test_gates_name_each_cell_measure_and_number_that_fails() -> None:
    good = cell("cpu:fp32", [0.9] * 60)
    bad = cell("cpu:int8", [0.5] * 60, p95=250.0, ann=0.95)
    gates = Gates(
        parse_least("recall@10=0.85, ndcg@10=0.6,ann_recall@10=0.99"), parse_most("p95=0.2s")
    )
    failed = gates.check(results(good, bad), "dense")
    assert [(item.cell, item.what, item.found, item.wanted) for item in failed] == [
        ("m 8 cpu:int8 codes", "dense recall@10", "0.5000", "at least 0.85"),
        ("m 8 cpu:int8 codes", "dense ndcg@10", "0.5000", "at least 0.6"),
        ("m 8 cpu:int8 codes", "ann_recall@10", "0.9500", "at least 0.99"),
        ("m 8 cpu:int8 codes", "p95", "250.0 ms", "at most 200.0 ms"),
    ]


@pytest.mark.parametrize(
    ("limit", "passes"), [("ram=4GiB", True), ("ram=2GiB", False), ("ram=3.3GB", True)]
)
def test_memory_has_units(limit: str, passes: bool) -> None:
    failed = Gates({}, parse_most(limit)).check(results(cell("cpu:fp32", [1.0] * 60)), "dense")
    assert (failed == []) is passes


def test_gate_on_times_that_were_not_measured_is_closed() -> None:
    untimed = cell("cpu:fp32", [1.0] * 60).model_copy(update={"speed": None})
    failed = Gates({}, parse_most("p99=1s")).check(results(untimed), "dense")
    assert [item.found for item in failed] == ["not measured"]


def test_nothing_measured_passes_no_gate() -> None:
    with pytest.raises(UsageError, match="Nothing was measured"):
        Gates({"ndcg@10": 0.1}, {}).check(results(), "dense")
    assert Gates({}, {}).check(results(), "dense") == []


def test_mode_that_was_to_run_and_did_not_passes_no_gate() -> None:
    """One that the machine has no hardware for was never to run."""
    failing = NotRun(label="m cpu:int4", reason="no such kernel", tried=True)
    absent = NotRun(label="m gpu:fp16", reason="no GPU")
    found = results(cell("cpu:fp32", [1.0] * 60))
    found = found.model_copy(update={"not_run": (failing, absent)})
    [failed] = Gates({"ndcg@10": 0.1}, {}).check(found, "dense")
    assert (failed.cell, failed.found) == ("m cpu:int4", "no such kernel")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ndcg@5=0.5", "--fail-under ndcg@5: no such measure. There are ndcg@10, recall@10"),
        ("ndcg@10", "--fail-under 'ndcg@10': write NAME=VALUE"),
        ("ndcg@10=60%", "ndcg@10=60%: give a number from 0 to 1"),
        ("ndcg@10=1.5", "give a number from 0 to 1"),
        ("ndcg@10=nan", "give a number from 0 to 1"),
    ],
)
def test_least_that_means_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_least(text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p90=1s", "--max p90: no such number. There are p50, p95, p99, ram, vram."),
        ("p95=200", "--max p95=200: give a number with its unit, as 200ms."),
        ("p95=2GiB", "as 200ms"),
        ("ram=200ms", "--max ram=200ms: give a number with its unit, as 2GiB."),
        ("ram=-1GiB", "as 2GiB"),
    ],
)
def test_most_that_means_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_most(text)
    assert said in str(refused.value)


def test_baseline_fails_on_a_drop_that_is_no_chance_and_on_no_other() -> None:
    before = results(cell("cpu:int8", [0.8] * 60))
    gates = Gates({}, {}, before)
    dropped = [0.8] * 40 + [0.3] * 20
    (failed,) = gates.check(results(cell("cpu:int8", dropped)), "dense")
    assert failed.what == "dense ndcg@10"
    assert failed.found.startswith("0.6333 (p 0.0")
    assert failed.wanted == "0.8000 as before"
    by_chance = [0.8] * 57 + [0.7, 0.7, 0.85]
    assert gates.check(results(cell("cpu:int8", by_chance)), "dense") == []
    assert gates.check(results(cell("cpu:int8", [0.9] * 60)), "dense") == []


def test_baseline_sees_an_index_that_finds_less() -> None:
    before = results(cell("cpu:int8", [0.8] * 60, ann=0.99))
    (failed,) = Gates({}, {}, before).check(results(cell("cpu:int8", [0.8] * 60, ann=0.9)), "dense")
    assert (failed.what, failed.found, failed.wanted) == (
        "ann_recall@10",
        "0.9000",
        "0.9900 as before",
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"checksum": "cd"}, "corpus.jsonl cd and ab"),
        ({"ids": QUERIES[:59] + ("other",)}, "judged other queries"),
    ],
)
def test_baseline_of_other_data_is_refused(change: dict[str, str], said: str) -> None:
    other = results(cell("cpu:int8", [0.8] * 60), **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError) as refused:
        Gates({}, {}, other).check(results(cell("cpu:int8", [0.8] * 60)), "dense")
    assert said in str(refused.value)


def test_baseline_without_any_of_the_cells_is_refused() -> None:
    other = results(cell("gpu:fp16", [0.8] * 60))
    with pytest.raises(UsageError, match="m 8 gpu:fp16 exact"):
        Gates({}, {}, other).check(results(cell("cpu:int8", [0.8] * 60)), "dense")
