"""The parent's side of `generator.py`: phases to do, and what came of them."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from servers import Server

_GENERATOR = Path(__file__).with_name("generator.py")


@dataclass(frozen=True)
class Phase:
    """A closed loop of so many clients, or an open one of so many arrivals a second.

    A closed loop without a time ends with the items.
    """

    clients: int = 0
    rate: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Outcome:
    """One phase. Arrays have an entry for each request, in the order of the answers."""

    started_s: float  # on the clock of `time.monotonic`, which processes share
    wall_s: float
    cpu_share: float  # of one core, that the generator used
    at_s: Any
    ms: Any
    late_ms: Any
    status: Any

    @property
    def counts(self) -> dict[str, int]:
        """{status: requests}; beside those of HTTP: "degraded", "timeout", and what broke."""
        return dict(Counter(self.status.tolist()))

    @property
    def accepted_ms(self) -> Any:
        """Times of the answers that hold what was asked for."""
        return self.ms[self.status == "200"]

    @property
    def per_s(self) -> float:
        """Good answers a second, without those that came after the phase."""
        ended = self.at_s + self.ms / 1000 <= self.wall_s
        return float((ended & (self.status == "200")).sum() / self.wall_s)

    def quantile(self, share: float) -> float:
        """Of the times of good answers, in ms; NaN when there is none."""
        times = self.accepted_ms
        return float(np.quantile(times, share)) if len(times) else float("nan")

    def require_good(self) -> "Outcome":
        """Self; ends the program where anything but good answers came."""
        if set(self.counts) != {"200"}:
            sys.exit(f"not only good answers: {self.counts}")
        return self


def drive(
    server: Server,
    door: str,
    items: Sequence[Any],
    phases: Sequence[Phase],
    again: bool = False,
) -> list[Outcome]:
    """Let the generator ask for the items in turn, over all phases.

    With `again` it begins anew after the last item; without, so many items must be there.
    """
    assert again or all(phase.rate is None for phase in phases)
    assert not again or all(phase.seconds is not None for phase in phases)
    plan = {
        "host": server.host,
        "port": server.port,
        "door": door,
        "items": list(items),
        "again": again,
        "phases": [asdict(phase) for phase in phases],
    }
    done = subprocess.run(
        [sys.executable, _GENERATOR],
        input=json.dumps(plan),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [read_outcome(found) for found in json.loads(done.stdout)["phases"]]


def read_outcome(found: dict[str, Any]) -> Outcome:
    """A phase of the generator's answer."""
    arrays = {name: np.array(found[name]) for name in ("at_s", "ms", "late_ms", "status")}
    return Outcome(**(found | arrays))
