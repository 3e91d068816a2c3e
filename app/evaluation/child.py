"""The process that opens or measures one mode: a job on stdin, JSON lines on stdout.

One process for each mode: peak memory is a number of a process, and a mode that is killed for lack
of memory leaves the others alone.
"""

import json
import os
import sys
import time
from typing import Any, TextIO

from app.evaluation.measurement import measure
from app.search.models import Models
from app.settings import Settings
from indexer.errors import PlacementError, SemsearchError
from indexer.modes import Mode


def main() -> None:
    """Answer one job: {"flags": {...}, "mode": "cpu:int8", "runs": 5}.

    Lines: {"step": text} any number of times, then {"measurement": {...}} or {"refusal": text};
    without runs {"opened_s": seconds}.
    """
    answers = _own_stdout()
    job = json.load(sys.stdin)
    try:
        _tell(answers, **_measure(job, answers))
    except SemsearchError as error:
        _tell(answers, refusal=str(error))


def _measure(job: dict[str, Any], answers: TextIO) -> dict[str, Any]:
    mode = Mode.parse(job["mode"])
    flags = {**job["flags"], "placement": mode.placement, "precision": mode.precision}
    settings = Settings.load(flags=flags)
    said: list[str] = []

    def on_step(step: str) -> None:
        said.append(step)
        _tell(answers, step=step)

    models = Models(settings, say=on_step)
    spec = models.named(settings.model)
    _tell(answers, step="loading")
    started = time.perf_counter()
    with models.embedder(spec) as embedder:
        load_s = time.perf_counter() - started
        if embedder.mode != mode:
            # Why was said while it was opened; what ends with dots told what was being done.
            raise PlacementError(" ".join(text for text in said if not text.endswith("...")))
        if not job["runs"]:
            return {"opened_s": load_s}
        return {"measurement": measure(embedder, load_s, job["runs"], on_step).to_dict()}


def _own_stdout() -> TextIO:
    """The pipe to the parent, for answers alone: what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _tell(answers: TextIO, **line: Any) -> None:
    answers.write(json.dumps(line) + "\n")
    answers.flush()
