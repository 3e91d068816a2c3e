"""Every mode of this machine measured in a process of its own, one after the other."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import app
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
# -P and the package's own folder: a folder called "app" where the user stands is not imported.
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from app.evaluation.child import main; main()"
)
_SHOWN_OF_STDERR = 300
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
    first, reason = _ask(mode, {"flags": flags, "mode": str(mode), "runs": 0}, on_step)
    if "opened_s" in first:
        answer, reason = _ask(mode, {"flags": flags, "mode": str(mode), "runs": runs}, on_step)
        if "measurement" in answer:
            values = {**answer["measurement"], "first_load_s": first["opened_s"]}
            return Measurement.from_dict(values)
    return NotRun(str(mode), reason)


def _ask(mode: Mode, job: Mapping[str, Any], on_step: OnStep) -> tuple[dict[str, Any], str]:
    """(a child's last word, why it is none)."""
    home = str(Path(app.__file__).resolve().parent.parent)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, home],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        try:
            answer = _listen(process, json.dumps(job), lambda step: on_step(mode, step))
            code = process.wait()
        finally:
            process.kill()  # of no effect on one that has ended
        return answer, answer.get("refusal") or _verdict(code, errors)


def _listen(
    process: subprocess.Popen[str], job: str, on_step: Callable[[str], None]
) -> dict[str, Any]:
    """The child's last word; empty if it ended without one."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(job)
        process.stdin.close()
    except BrokenPipeError:
        return {}
    for line in process.stdout:
        answer: dict[str, Any] = json.loads(line)
        if "step" not in answer:
            return answer
        on_step(answer["step"])
    return {}


def _verdict(code: int, errors: IO[bytes]) -> str:
    """Why a child ended without an answer."""
    if code < 0:
        killed = " Probably memory ran out: choose a smaller model or mode." if code == -9 else ""
        return f"its process was ended by signal {-code}.{killed}"
    errors.seek(0)
    lines = errors.read().decode("utf-8", "replace").strip().splitlines() or ["no message"]
    return f"its process ended with code {code}: {lines[-1][:_SHOWN_OF_STDERR]}"
