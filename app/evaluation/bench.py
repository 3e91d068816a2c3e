"""Every mode of this machine measured in a process of its own, one after the other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.evaluation.apart import Reply, ask_apart
from app.evaluation.measurement import Measurement
from indexer.embedding.hardware.machine import Hardware
from indexer.modes import Mode, Placement, Precision

# The article's three rows, and what this program offers beside them.
DEFAULT_MODES = (
    Mode(Placement.GPU, Precision.FP16),
    Mode(Placement.GPU, Precision.BF16),
    Mode(Placement.OFFLOAD, Precision.FP16),
    Mode(Placement.OFFLOAD, Precision.BF16),
    Mode(Placement.CPU, Precision.INT8),
    Mode(Placement.CPU, Precision.FP32),
)
_CHILD = "app.evaluation.child"
OnStep = Callable[[Mode, str], None]


@dataclass(frozen=True, slots=True)
class NotRun:
    """A mode that this machine, or this version, cannot run."""

    mode: str
    reason: str


Outcome = Measurement | NotRun


def split_modes(hardware: Hardware) -> tuple[list[Mode], list[NotRun]]:
    """(modes worth a process, those that need a GPU this machine lacks)."""
    usable = [mode for mode in DEFAULT_MODES if hardware.gpus or mode.placement is Placement.CPU]
    missing = [mode for mode in DEFAULT_MODES if mode not in usable]
    return usable, [NotRun(str(mode), "no NVIDIA GPU was found") for mode in missing]


def bench(
    modes: Sequence[Mode], flags: Mapping[str, Any], runs: int, on_step: OnStep
) -> Iterator[Outcome]:
    """What each mode gave, in order.

    Args:
        modes: to measure.
        flags: settings given on the command line, without placement and precision; the children
            read the environment and the config file as this process did.
        runs: timed calls of each batch size.
        on_step: told what is being done.
    """
    plain = {name: str(value) for name, value in flags.items() if value is not None}
    for mode in modes:
        yield _measure(mode, plain, runs, on_step)


def _measure(mode: Mode, flags: Mapping[str, str], runs: int, on_step: OnStep) -> Outcome:
    """Open it once for what only the first start on a machine needs, then measure another start."""

    def ask(runs: int) -> Reply:
        job = {"flags": flags, "mode": str(mode), "runs": runs}
        return ask_apart(_CHILD, job, lambda step: on_step(mode, step))

    reply = first = ask(0)
    if not first.failure:
        reply = ask(runs)
    if reply.failure:
        return NotRun(str(mode), reply.failure)
    return Measurement.from_dict({**reply.values, "first_load_s": first.values["opened_s"]})
