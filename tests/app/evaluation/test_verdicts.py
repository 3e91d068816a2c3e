"""The recommended mode is the one it should be, and the others' reasons have the numbers."""

import pytest

from app.evaluation.verdicts import agreement, best_of, compared, judge
from bench_rows import GIB, planned, ran
from indexer.embedding.peers.peer import Peer
from indexer.embedding.planning.plan import Verdict
from indexer.modes import Mode

INT8, FP32 = Mode.parse("cpu:int8"), Mode.parse("cpu:fp32")


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ([ran("cpu:fp32", 300, 900), ran("cpu:int8", 100, 300)], "cpu:int8"),
        ([ran("cpu:fp32", 90, 300), ran("cpu:int8", 100, 200)], "cpu:fp32"),
        # as fast for one text: the faster for four, then the smaller
        ([ran("cpu:fp32", 98, 300), ran("cpu:int8", 100, 200)], "cpu:int8"),
        ([ran("gpu:fp16", 10, 20, vram=2 * GIB), ran("gpu:int8", 10, 20, vram=GIB)], "gpu:int8"),
        # what others' programs give is no mode of ours
        ([ran("cpu:fp32", 300, 900), ran("cpu:fp32", 1, 2, peer=Peer.TRANSFORMERS)], "cpu:fp32"),
    ],
)
def test_best_is_the_fastest_then_the_smallest(rows: list, best: str) -> None:  # type: ignore[type-arg]
    found = best_of(rows, {})
    assert found is not None
    assert (found.label, found.peer) == (best, None)


def test_no_mode_of_ours_no_best() -> None:
    alone = ran("cpu:fp32", 1, 2, peer=Peer.TRANSFORMERS)
    assert best_of([alone], {}) is None
    judgement = judge([alone], {})[alone.label]
    assert (judgement.recommended, judgement.reason) == (
        False,
        "no mode of this program ran beside it",
    )


def test_mode_that_the_plan_rules_out_is_not_recommended_though_it_is_faster() -> None:
    rows = [ran("cpu:fp32", 100, 300), ran("cpu:int8", 300, 900)]
    plan = {
        FP32: planned("cpu:fp32", Verdict.TOO_LARGE, "needs 3.0 GiB RAM, 2.0 GiB can be used"),
        INT8: planned("cpu:int8", Verdict.RECOMMENDED),
    }
    found = judge(rows, plan)
    assert found["cpu:int8"].recommended
    assert found["cpu:int8"].reason.endswith("its quality check passed, the plan says the same")
    assert not found["cpu:fp32"].recommended
    assert found["cpu:fp32"].reason == (
        "the plan rules it out: needs 3.0 GiB RAM, 2.0 GiB can be used"
    )
    del plan[INT8]
    assert judge(rows[:1], plan)["cpu:fp32"].reason == (
        "the only mode measured, though the plan rules it out: needs 3.0 GiB RAM, 2.0 GiB can be "
        "used"
    )


def test_plan_that_expected_another_mode_is_told() -> None:
    rows = [ran("cpu:fp32", 100, 300), ran("cpu:int8", 300, 900)]
    plan = {INT8: planned("cpu:int8", Verdict.RECOMMENDED)}
    assert judge(rows, plan)["cpu:fp32"].reason == (
        "the fastest for one text, the plan expected cpu:int8"
    )


def test_tie_is_told_as_one() -> None:
    rows = [ran("cpu:fp32", 100, 300, ram=3 * GIB), ran("cpu:int8", 101, 301, ram=GIB)]
    found = judge(rows, {})
    assert found["cpu:int8"].reason == ("none is faster with less memory, its quality check passed")
    assert found["cpu:fp32"].reason == "as fast as cpu:int8, 2.0 GiB more RAM"


@pytest.mark.parametrize(
    ("one", "four", "ram", "vram", "text"),
    [
        (310, 900, GIB, GIB, "3.1x slower than gpu:bf16 (3.0x for 4 texts)"),
        (100, 450, GIB, GIB, "as fast as gpu:bf16 for 1 text, 1.5x slower than it for 4"),
        (200, 150, GIB, GIB, "2.0x slower than gpu:bf16 for 1 text, 2.0x faster than it for 4"),
        (
            100,
            300,
            3 * GIB // 2,
            GIB // 2,
            "as fast as gpu:bf16, 512 MiB more RAM, 512 MiB less VRAM",
        ),
    ],
)
def test_reasons_have_the_numbers(one: float, four: float, ram: int, vram: int, text: str) -> None:
    best = ran("gpu:bf16", 100, 300, vram=GIB)
    assert compared(ran("gpu:int8", one, four, ram=ram, vram=vram), best) == text


def test_agreement_is_with_our_most_exact_mode() -> None:
    rows = [
        ran("cpu:int8", 1, 1, vectors=(0.8, 0.6)),
        ran("gpu:fp16", 1, 1),
        ran("cpu:fp32", 1, 1, peer=Peer.TRANSFORMERS, vectors=(0.6, 0.8)),
    ]
    found = agreement(rows)
    assert {label: a.yardstick for label, a in found.items()} == {
        "cpu:int8": "gpu:fp16",
        "transformers cpu:fp32": "gpu:fp16",
    }
    assert found["cpu:int8"].cosine == pytest.approx(0.8)
    assert judge(rows, {})["transformers cpu:fp32"].reason.endswith(
        "gives other vectors than gpu:fp16: cosine 0.600"
    )
    assert "vectors" not in judge(rows, {})["cpu:int8"].reason  # its own check judged it
