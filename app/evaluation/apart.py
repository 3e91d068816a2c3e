"""A job in a process of its own: one JSON object on its stdin, JSON lines on its stdout.

Peak memory is a number of a process, and a mode that is killed for lack of memory leaves the others
alone. A child's module has a `main` that calls `answer_one`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TextIO

import app
from app.evaluation.process_tree import TreePeak
from indexer.errors import SemsearchError

# -P and the package's own folder: a folder called "app" where the user stands is not imported.
BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from importlib import import_module; "
    "import_module(sys.argv.pop(1)).main()"
)
_SHOWN_OF_STDERR = 300
OnStep = Callable[[str], None]
Work = Callable[[dict[str, Any], OnStep], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a job."""

    values: dict[str, Any] = field(default_factory=dict)  # {}: the job failed
    failure: str = ""  # why
    peak_ram_bytes: int = 0  # of the process and all that it started, summed
    peak_vram_bytes: int | None = None  # of the same by the driver; None: no GPU memory used


def ask_apart(module: str, job: Mapping[str, Any], on_step: OnStep) -> Reply:
    """Run `module.main` on a job; a child that refuses or dies is told of, never raised.

    Args:
        module: dotted name inside this program.
        job: JSON values.
        on_step: told what the child says it is doing.
    """
    home = str(Path(app.__file__).resolve().parent.parent)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-P", "-c", BOOT, home, module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
        ) as process,
        TreePeak(process.pid) as peak,
    ):
        try:
            last = _listen(process, json.dumps(job), on_step)
            code = process.wait()
        finally:
            process.kill()  # of no effect on one that has ended
        values = last.get("values", {})
        failure = "" if "values" in last else last.get("refusal") or _verdict(code, errors)
    return Reply(values, failure, peak.ram_bytes, peak.vram_bytes)


def _listen(process: subprocess.Popen[str], job: str, on_step: OnStep) -> dict[str, Any]:
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


def answer_one(work: Work) -> None:
    """In the child: answer the job on stdin.

    Lines: {"step": text} any number of times, then {"values": {...}} or {"refusal": text}.
    """
    answers = _own_stdout()
    job = json.load(sys.stdin)
    try:
        _tell(answers, values=work(job, lambda step: _tell(answers, step=step)))
    except SemsearchError as error:
        _tell(answers, refusal=str(error))


def _own_stdout() -> TextIO:
    """The pipe to the parent, for answers alone: what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _tell(answers: TextIO, **line: Any) -> None:
    answers.write(json.dumps(line) + "\n")
    answers.flush()
