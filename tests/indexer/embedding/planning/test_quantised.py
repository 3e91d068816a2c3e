"""Quantised weights on a GPU: what they take, on which cards, and when they come first."""

import math
from dataclasses import replace

import pytest
import torch
from planned_machines import GIB, H200, RTX_4GB, T4, card, machine

from indexer.embedding.hardware.machine import Gpu, Hardware, TorchBuild
from indexer.embedding.planning import memory
from indexer.embedding.planning.candidates import MODES, Candidate
from indexer.embedding.planning.plan import MemoryNeed, Plan, Verdict
from indexer.embedding.planning.planner import make_plan
from indexer.embedding.planning.published import PUBLISHED, SMALLER
from indexer.embedding.planning.size import ModelSize
from indexer.embedding.qwen3_config import Qwen3Config
from indexer.embedding.runtimes.packed.forms import MultipliedOutForm
from indexer.embedding.runtimes.packed.layout import LayerLayout
from indexer.embedding.runtimes.packed.rounding import Fp8Rows, Int4Groups, Int8Rows, Rounding
from indexer.embedding.wishes import Wishes
from indexer.modes import QUANTISED, Mode, Placement, Precision

QWEN = PUBLISHED["qwen3-0.6b"]
CONFIG = Qwen3Config(28, 1024, 16, 8, 128, 3072, 1e-6, 1e6)
ROUNDINGS: list[tuple[Precision, Rounding]] = [
    (Precision.INT8, Int8Rows()),
    (Precision.FP8, Fp8Rows()),
    (Precision.INT4, Int4Groups()),
]
GPU_MODES = {Mode(Placement.GPU, precision) for precision in QUANTISED}


def plan_of(
    hardware: Hardware, checked: set[Mode], size: str = "qwen3-0.6b", wishes: Wishes | None = None
) -> Plan:
    return make_plan(PUBLISHED[size], hardware, wishes or Wishes(), checked, SMALLER)


def row(plan: Plan, mode: str) -> tuple[Verdict, str]:
    (found,) = [o for o in plan.options if str(o.mode) == mode]
    return found.verdict, found.reason


def candidate(precision: Precision, placement: Placement = Placement.GPU) -> Candidate:
    (found,) = [c for c in MODES if c.mode == Mode(placement, precision)]
    return found


@pytest.mark.parametrize(("precision", "rounding"), ROUNDINGS)
def test_predicted_weights_are_the_bytes_that_are_held(
    precision: Precision, rounding: Rounding
) -> None:
    form = MultipliedOutForm(LayerLayout(CONFIG), torch.bfloat16, rounding, "meta")
    table = Int8Rows().size_bytes(QWEN.table_values // QWEN.hidden, QWEN.hidden)
    held = CONFIG.layers * form.size_bytes + table
    predicted = memory.gpu_need(QWEN, candidate(precision), 2048).weights
    assert predicted == pytest.approx(held, rel=0.01)


def test_layer_multiplied_out_is_counted_once() -> None:
    working = 2 * LayerLayout(CONFIG).size
    for one, other in [
        (candidate(Precision.INT4), candidate(Precision.BF16)),
        (
            candidate(Precision.INT8, Placement.OFFLOAD),
            candidate(Precision.BF16, Placement.OFFLOAD),
        ),
    ]:
        need = memory.gpu_need if one.placement is Placement.GPU else _offload
        more = need(QWEN, one, 512).workspace - need(QWEN, other, 512).workspace
        assert more == pytest.approx(working, rel=0.01)


def _offload(size: ModelSize, one: Candidate, tokens: int) -> MemoryNeed:
    return memory.offload_need(size, one, tokens, 4)


def test_int8_sums_are_counted_for_a_slab_and_not_for_a_batch() -> None:
    small, large, huge = (
        memory.gpu_need(QWEN, candidate(Precision.INT8), tokens).workspace
        for tokens in (1024, 2048, 16_384)
    )
    assert large - small == 1024 * 2 * 3072 * 8
    assert huge == large


@pytest.mark.parametrize(
    ("checked", "mode"),
    [
        (set(), "gpu:bf16"),
        ({Mode(Placement.GPU, Precision.INT8)}, "gpu:int8"),
        ({Mode(Placement.GPU, Precision.INT4)}, "gpu:int4"),
        (GPU_MODES, "gpu:int8"),
    ],
)
def test_small_card_gets_quantised_weights_once_they_are_checked(
    checked: set[Mode], mode: str
) -> None:
    plan = plan_of(machine(16, RTX_4GB), checked)
    assert plan.recommended is not None
    assert str(plan.recommended.mode) == mode
    if checked:
        assert "quantised, as the article advises on 2-4 GiB" in plan.recommended.reason
    else:
        assert "--precision int8 checks that" in plan.recommended.reason
        verdict, reason = row(plan, "gpu:int8")
        assert verdict is Verdict.UNCHECKED
        assert "its quality is not checked on this model yet; --precision int8 takes it" in reason


@pytest.mark.parametrize("hardware", [machine(64, H200), machine(16, T4)])
def test_card_with_room_is_not_quantised(hardware: Hardware) -> None:
    plan = plan_of(hardware, GPU_MODES)
    assert plan.recommended is not None
    assert plan.recommended.mode.precision in (Precision.BF16, Precision.FP16)


@pytest.mark.parametrize(
    ("size", "total_gib", "mode"),
    [("qwen3-4b", 8, "gpu:int8"), ("qwen3-4b", 4, "gpu:int4"), ("qwen3-8b", 12, "gpu:int8")],
)
def test_large_model_stays_whole_on_a_card_when_quantised(
    size: str, total_gib: float, mode: str
) -> None:
    hardware = machine(64, card("RTX", total_gib, (8, 6)))
    plan = plan_of(hardware, GPU_MODES, size)
    assert plan.recommended is not None
    assert str(plan.recommended.mode) == mode
    assert row(plan, "gpu:bf16")[0] is Verdict.TOO_LARGE
    unchecked = plan_of(hardware, set(), size)
    assert row(unchecked, mode)[0] is Verdict.UNCHECKED


@pytest.mark.parametrize(
    ("capability", "verdict"),
    [((7, 5), Verdict.NO_HARDWARE), ((8, 6), Verdict.NO_HARDWARE), ((8, 9), Verdict.FITS)],
)
def test_fp8_is_offered_where_cards_multiply_it(
    capability: tuple[int, int], verdict: Verdict
) -> None:
    found, reason = row(plan_of(machine(16, card("RTX", 12, capability)), GPU_MODES), "gpu:fp8")
    assert found is verdict
    if verdict is Verdict.NO_HARDWARE:
        dotted = ".".join(map(str, capability))
        assert reason == f"RTX has compute capability {dotted}, fp8 products start at 8.9"


def test_fp8_is_not_offered_by_amd_builds() -> None:
    amd = TorchBuild("2.11.0+rocm7.1", None, "7.1")
    plan = plan_of(machine(64, card("MI300X", 192, (9, 4)), torch=amd), GPU_MODES)
    assert row(plan, "gpu:fp8") == (Verdict.NO_HARDWARE, "AMD's cards have another 8-bit float")
    assert row(plan, "gpu:int8")[0] is Verdict.FITS


def test_weights_multiplied_out_cost_speed_in_the_plan() -> None:
    """int8 on a card without its products moves five bytes more for each weight."""
    slow_memory = [machine(16, _with_memory(capability, 100e9)) for capability in ((7, 5), (8, 0))]
    old, new = (
        next(o for o in plan_of(h, GPU_MODES).options if str(o.mode) == "gpu:int8")
        for h in slow_memory
    )
    assert old.prediction.speed is not None
    assert new.prediction.speed is not None
    reading_ms = 1e3 * QWEN.matrix_values * 5.01 / 100e9
    assert math.isclose(old.prediction.speed.query_ms, reading_ms, rel_tol=1e-6)
    assert new.prediction.speed.query_ms < old.prediction.speed.query_ms


def _with_memory(capability: tuple[int, int], rate: float) -> Gpu:
    return replace(card("RTX", 12, capability), memory_bytes_per_s=rate)


def test_small_machine_sees_the_memory_of_each() -> None:
    plan = plan_of(machine(16, RTX_4GB), GPU_MODES)
    peaks = {str(o.mode): o.prediction.vram.peak / GIB for o in plan.options}
    assert peaks["gpu:int4"] < peaks["gpu:int8"] < peaks["gpu:bf16"]
