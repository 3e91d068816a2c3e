"""The planner on this machine: probe, plan, and refuse where nothing is left."""

from collections.abc import Set
from dataclasses import replace
from pathlib import Path

from indexer.embedding.hardware.cpu import read_cpu, threads_for
from indexer.embedding.hardware.machine import Hardware
from indexer.embedding.hardware.probe import probe
from indexer.embedding.planning.candidates import Candidate
from indexer.embedding.planning.evaluate import budget_of
from indexer.embedding.planning.memory import disk_need, gpu_ram_need
from indexer.embedding.planning.plan import Option, Plan, Verdict
from indexer.embedding.planning.planner import make_plan
from indexer.embedding.planning.published import SMALLER
from indexer.embedding.planning.reasons import refusal
from indexer.embedding.planning.size import ModelSize, read_size
from indexer.embedding.spec import ModelSpec
from indexer.embedding.wishes import Engine, Wishes
from indexer.errors import PlacementError
from indexer.modes import Mode, Placement


def plan_for(
    size: ModelSize,
    wishes: Wishes,
    checked: Set[Mode] = frozenset(),
    folder: Path | None = None,
    *,
    measure_speed: bool = False,
) -> Plan:
    """The plan for a model of this size on this machine.

    Takes milliseconds, with measured speeds half a second.

    Args:
        size: the model.
        wishes: narrow the choice.
        checked: quantised modes that passed their quality check on this model.
        folder: holds the model's weights, whose disk counts; None: not here yet.
        measure_speed: for better predictions; the choice seldom changes.
    """
    hardware = probe(wishes.visible_gpus, folder, measure_speed=measure_speed)
    if _should_ask_torch(hardware, wishes):
        from indexer.embedding.hardware.torch_gpus import read_torch_gpus

        hardware = replace(hardware, gpus=read_torch_gpus())
    return make_plan(size, hardware, wishes, checked, SMALLER)


def _should_ask_torch(hardware: Hardware, wishes: Wishes) -> bool:
    """A GPU was asked for and the driver's library shows none, yet torch may see one.

    So it is in containers that carry CUDA but not NVML, and with AMD's builds.
    """
    torch = hardware.torch
    can = torch is not None and (torch.cuda is not None or torch.hip is not None)
    return can and not hardware.gpus and wishes.placement in (Placement.GPU, Placement.OFFLOAD)


def ram_for_weights(size: ModelSize, mode: Mode, wishes: Wishes) -> int | None:
    """Bytes of a model's weights that may stay in RAM in an offload; None: all of them may."""
    hardware = probe(wishes.visible_gpus)
    candidate = Candidate(mode, Engine.TORCH)
    budget = budget_of(hardware, None, wishes).ram
    if size.against_packed is None or gpu_ram_need(size, candidate).peak <= budget:
        return None
    return disk_need(size, candidate, budget)[0].weights


def expected(plan: Plan, wishes: Wishes) -> Option:
    """The option that a run with these wishes takes.

    A mode that was named in full is taken at its word, even where it is predicted not to fit.

    Raises:
        PlacementError: none fits, or none was asked for; names the nearest mode and what it lacks.
    """
    first = plan.options[0]
    named = wishes.placement is not None and wishes.precision is not None
    if plan.recommended is not None or (named and first.verdict is Verdict.TOO_LARGE):
        return first
    raise PlacementError(refusal(plan))


def settle(spec: ModelSpec, wishes: Wishes, checked: Set[Mode] = frozenset()) -> Wishes:
    """The same wishes with placement, precision and threads decided.

    Raises:
        PlacementError: no mode is left.
        ModelError: the model's weights cannot be read.
    """
    if wishes.placement is Placement.REMOTE:
        return wishes
    if wishes.placement is not None and wishes.precision is not None:
        return replace(wishes, threads=wishes.threads or threads_for(read_cpu()[0]))
    plan = plan_for(read_size(spec), wishes, checked)
    option = expected(plan, wishes)
    settled = replace(
        wishes,
        placement=option.mode.placement,
        precision=option.mode.precision,
        device=wishes.device or plan.device,
        threads=plan.threads,
    )
    if option.mode.placement is not Placement.CPU:
        return settled  # the GPU's runtimes measure how large a batch may be
    tokens = option.prediction.batch_tokens
    return replace(settled, engine=option.candidate.engine, max_batch_tokens=tokens)
