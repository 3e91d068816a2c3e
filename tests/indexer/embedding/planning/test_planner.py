"""The planner's choices on known machines, and what must hold on any."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planned_machines import (
    CPU_ONLY,
    GIB,
    H200,
    MX450,
    PASCAL,
    RTX_4GB,
    T4,
    card,
    machine,
    machines,
)

from indexer.embedding.hardware.machine import Hardware, TorchBuild
from indexer.embedding.planning.candidates import MODES
from indexer.embedding.planning.evaluate import oldest_capability
from indexer.embedding.planning.plan import Latency, Plan, Verdict
from indexer.embedding.planning.planner import make_plan
from indexer.embedding.planning.published import PUBLISHED, SMALLER
from indexer.embedding.planning.reasons import refusal
from indexer.embedding.planning.size import ModelSize
from indexer.embedding.wishes import Engine, Wishes
from indexer.modes import Mode, Placement, Precision

QWEN, MINILM = PUBLISHED["qwen3-0.6b"], PUBLISHED["minilm"]
INT8_CPU = Mode(Placement.CPU, Precision.INT8)


def best(plan: Plan) -> str:
    assert plan.recommended is not None, refusal(plan)
    return str(plan.recommended.mode)


def row(plan: Plan, mode: str, engine: Engine = Engine.TORCH) -> tuple[Verdict, str]:
    (found,) = [o for o in plan.options if str(o.mode) == mode and o.candidate.engine is engine]
    return found.verdict, found.reason


def plan_of(hardware: Hardware, wishes: Wishes | None = None, size: str = "qwen3-0.6b") -> Plan:
    return make_plan(PUBLISHED[size], hardware, wishes or Wishes(), frozenset(), SMALLER)


@pytest.mark.parametrize(
    ("hardware", "mode"),
    [
        (machine(64, H200), "gpu:bf16"),
        (machine(16, T4), "gpu:fp16"),  # no bf16 before Ampere
        (machine(16, RTX_4GB), "gpu:bf16"),
        (machine(16, MX450), "gpu:fp16"),  # 1.7 of 1.9 GiB: fits although below the 2 GiB rule
        (machine(16), "cpu:fp32"),
        (machine(16, H200, torch=CPU_ONLY), "cpu:fp32"),
        (machine(16, PASCAL), "cpu:fp32"),  # torch for CUDA 13 has no kernels for it
    ],
)
def test_known_machines_get_the_expected_mode(hardware: Hardware, mode: str) -> None:
    assert best(plan_of(hardware)) == mode


def test_large_model_is_streamed_through_a_small_card() -> None:
    plan = plan_of(machine(32, card("RTX 4060", 8, (8, 9))), size="qwen3-4b")
    assert best(plan) == "offload:bf16"
    assert plan.recommended is not None
    layers = plan.recommended.prediction.resident_layers
    assert layers is not None
    assert 0 < layers < 36
    assert row(plan, "gpu:bf16")[0] is Verdict.TOO_LARGE


def test_quantised_mode_waits_for_its_check_unless_asked_for() -> None:
    hardware = machine(16)
    unasked = plan_of(hardware)
    assert row(unasked, "cpu:int8", Engine.ONNX)[0] is Verdict.UNCHECKED
    checked = make_plan(QWEN, hardware, Wishes(), {INT8_CPU}, SMALLER)
    assert best(checked) == "cpu:int8"
    assert best(plan_of(hardware, Wishes(precision=Precision.INT8))) == "cpu:int8"


@pytest.mark.parametrize("wishes", [Wishes(), Wishes(Placement.GPU), Wishes(max_ram_bytes=1)])
def test_another_machine_is_never_chosen_unasked(wishes: Wishes) -> None:
    plan = plan_of(machine(16, torch=None), wishes)
    (remote,) = [o for o in plan.options if o.mode.placement is Placement.REMOTE]
    assert remote.verdict is Verdict.NO_ENDPOINT
    assert remote.candidate.label == "remote"
    assert "remote" not in refusal(plan)


def test_missing_cuda_in_torch_is_said() -> None:
    verdict, reason = row(plan_of(machine(16, T4, torch=CPU_ONLY)), "gpu:fp16")
    assert verdict is Verdict.NO_HARDWARE
    assert reason == (
        "Tesla T4, but torch 2.13.0+cpu is a build without CUDA: install one from "
        "pytorch.org/get-started"
    )


def test_old_card_is_said() -> None:
    verdict, reason = row(plan_of(machine(16, PASCAL)), "gpu:fp16")
    assert verdict is Verdict.NO_HARDWARE
    assert "compute capability 6.1, torch 2.13.0+cu130 starts at 7.5" in reason


@pytest.mark.parametrize(
    ("cuda", "oldest"),
    [("13.0", (7, 5)), ("12.9", (7, 0)), ("12.6", (5, 0)), ("13", (7, 5)), ("odd", (5, 0))],
)
def test_oldest_capability_by_toolkit(cuda: str, oldest: tuple[int, int]) -> None:
    assert oldest_capability(cuda) == oldest


def test_vram_wish_streams_within_it() -> None:
    wishes = Wishes(max_vram_bytes=400 << 20)
    plan = plan_of(machine(64, H200), wishes)
    assert best(plan) == "offload:bf16"
    assert plan.recommended is not None
    vram = plan.recommended.prediction.vram
    assert vram.peak - vram.base <= 400 << 20
    verdict, reason = row(plan, "gpu:bf16")
    assert verdict is Verdict.TOO_LARGE
    assert "--max-vram is 400 MiB" in reason


def test_machine_too_small_names_smaller_models_and_the_shortage() -> None:
    plan = plan_of(machine(1.5))
    assert plan.recommended is None
    assert [model.name for model in plan.smaller] == ["minilm", "gte-tiny", "bge-micro-v2"]
    text = refusal(plan)
    assert "Qwen/Qwen3-Embedding-0.6B: no mode can be recommended. Nearest is cpu:int8" in text
    assert "Smaller models fit: minilm, gte-tiny, bge-micro-v2." in text


def test_slow_machine_names_smaller_models_beside_its_best_mode() -> None:
    plan = plan_of(machine(64, cores=1), size="qwen3-8b")
    assert plan.recommended is not None
    speed = plan.recommended.prediction.speed
    assert speed is not None
    assert speed.latency is Latency.SLOW
    assert plan.smaller[0].name == "qwen3-0.6b"


def test_ram_wish_is_named_in_the_refusal() -> None:
    wishes = Wishes(Placement.CPU, Precision.FP32, Engine.TORCH, max_ram_bytes=GIB)
    text = refusal(plan_of(machine(64), wishes))
    assert "Nearest is cpu:fp32: needs 3.7 GiB RAM, --max-ram is 1.0 GiB." in text
    assert "--placement cpu with --precision fp32 tries it all the same" in text


def test_second_card_with_more_room_is_taken() -> None:
    plan = plan_of(machine(64, replace(H200, free_bytes=GIB), replace(H200, index=1)))
    assert plan.device == "cuda:1"
    wished = plan_of(machine(64, H200, replace(H200, index=1)), Wishes(device="cuda:0"))
    assert wished.device == "cuda:0"
    lost = plan_of(machine(64, H200), Wishes(Placement.GPU, device="cuda:5"))
    assert lost.recommended is None


@pytest.mark.parametrize("mode", ["offload:int8", "gpu:int8", "gpu:fp8", "gpu:int4"])
def test_rounded_weights_are_not_offered_to_other_architectures(mode: str) -> None:
    asked = Mode.parse(mode)
    plan = make_plan(MINILM, machine(64, H200), Wishes(asked.placement, asked.precision), {asked})
    assert plan.recommended is None
    verdict, reason = row(plan, mode)
    assert verdict is Verdict.UNAVAILABLE
    assert "its architecture is bert" in reason


optional_bytes = st.none() | st.integers(0, 64 * GIB)


@st.composite
def wishes_of(draw: st.DrawFn) -> Wishes:
    return Wishes(
        placement=draw(st.none() | st.sampled_from([p for p in Placement if p != "remote"])),
        precision=draw(st.none() | st.sampled_from(list(Precision))),
        engine=draw(st.none() | st.sampled_from(list(Engine))),
        max_batch_tokens=draw(st.none() | st.integers(64, 1 << 16)),
        max_vram_bytes=draw(optional_bytes),
        max_ram_bytes=draw(optional_bytes),
    )


sizes = st.sampled_from(list(PUBLISHED.values()))


@given(sizes, machines(), wishes_of(), st.sets(st.sampled_from([c.mode for c in MODES])))
def test_any_machine_gets_a_plan_within_its_limits(
    size: ModelSize, hardware: Hardware, wishes: Wishes, checked: set[Mode]
) -> None:
    plan = make_plan(size, hardware, wishes, checked, SMALLER)
    assert {option.candidate for option in plan.options} == set(MODES)
    assert all(option.reason for option in plan.options)
    taken = [o for o in plan.options if o.verdict is Verdict.RECOMMENDED]
    assert len(taken) <= 1
    assert taken == [plan.options[0]] * len(taken)
    for option in plan.options:
        if option.verdict in (Verdict.RECOMMENDED, Verdict.FITS, Verdict.UNCHECKED):
            ram, vram = option.prediction.ram, option.prediction.vram
            assert ram.peak <= hardware.memory.usable_bytes
            assert wishes.max_ram_bytes is None or ram.peak <= wishes.max_ram_bytes
            assert vram.peak <= max((gpu.free_bytes for gpu in hardware.gpus), default=0)
            assert wishes.max_vram_bytes is None or vram.peak - vram.base <= max(
                wishes.max_vram_bytes, 0
            )
            assert wishes.placement in (None, option.mode.placement)
            assert wishes.precision in (None, option.mode.precision)
            assert option.prediction.speed is not None
            assert option.prediction.speed.tokens_per_s > 0
    if plan.recommended is None:
        assert refusal(plan)
        assert not any(o.verdict is Verdict.FITS for o in plan.options)
    else:
        candidate = plan.recommended.candidate
        quantised = candidate.needs_check and wishes.precision is None
        assert not quantised or candidate.mode in checked


@given(machines(), st.integers(0, 64 * GIB))
def test_more_memory_never_loses_a_mode(hardware: Hardware, more: int) -> None:
    memory = hardware.memory
    roomy = replace(
        hardware,
        memory=replace(memory, available_bytes=memory.available_bytes + more, container_bytes=None),
    )
    fitting = (Verdict.RECOMMENDED, Verdict.FITS, Verdict.UNCHECKED)
    before = {o.candidate for o in plan_of(hardware).options if o.verdict in fitting}
    after = {o.candidate for o in plan_of(roomy).options if o.verdict in fitting}
    assert before <= after


@given(machines())
def test_smaller_models_are_smaller_and_fit(hardware: Hardware) -> None:
    for model in plan_of(hardware).smaller:
        assert PUBLISHED[model.name].values < QWEN.values
        assert model.prediction.ram.peak <= hardware.memory.usable_bytes


def test_torch_without_any_build_still_runs_onnx() -> None:
    plan = plan_of(machine(16, T4, torch=None))
    assert row(plan, "gpu:fp16") == (Verdict.NO_HARDWARE, "torch is not installed")


def test_amd_build_of_torch_is_used_where_it_was_asked_for() -> None:
    amd = TorchBuild("2.11.0+rocm7.1", None, "7.1")
    plan = plan_of(machine(64, card("MI300X", 192, (9, 4)), torch=amd), Wishes(Placement.GPU))
    assert best(plan) == "gpu:bf16"
