"""The process that opens or measures one mode, for `bench`."""

import time
from typing import Any

from app.evaluation.apart import OnStep, answer_one
from app.evaluation.measurement import measure
from app.search.models import Models
from app.settings import Settings
from indexer.errors import PlacementError
from indexer.modes import Mode


def main() -> None:
    """Answer one job: {"flags": {...}, "mode": "cpu:int8", "runs": 5}.

    The values are a measurement's; without runs {"opened_s": seconds}.
    """
    answer_one(_measure)


def _measure(job: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    mode = Mode.parse(job["mode"])
    flags = {**job["flags"], "placement": mode.placement, "precision": mode.precision}
    settings = Settings.load(flags=flags)
    said: list[str] = []

    def say(step: str) -> None:
        said.append(step)
        on_step(step)

    models = Models(settings, say=say)
    spec = models.named(settings.model)
    on_step("loading")
    started = time.perf_counter()
    with models.embedder(spec) as embedder:
        load_s = time.perf_counter() - started
        if embedder.mode != mode:
            # Why was said while it was opened; what ends with dots told what was being done.
            raise PlacementError(" ".join(text for text in said if not text.endswith("...")))
        if not job["runs"]:
            return {"opened_s": load_s}
        return measure(embedder, load_s, job["runs"], on_step).to_dict()
