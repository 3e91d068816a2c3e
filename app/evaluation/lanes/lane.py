"""What an evaluation compares: lanes, which are models in modes, and ways to search in each."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from app.settings import Settings
from indexer.modes import Mode, Placement, Precision
from indexer.types import Scan

KINDS = (Scan.EXACT, Scan.CODES)  # of an index


@dataclass(frozen=True, slots=True)
class Lane:
    """A model at a dimension in a mode: what one process can open."""

    model: str  # as the user named it
    dimension: int | None  # None: the model's own
    mode: Mode
    own_server_port: int | None = None  # remote, behind a server that we start ourselves

    @property
    def label(self) -> str:
        """For messages, before the model is known."""
        shorter = f" {self.dimension}" if self.dimension else ""
        return f"{self.model}{shorter} {self.mode}"

    def to_job(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "mode": str(self.mode)}

    @classmethod
    def of_job(cls, values: Mapping[str, Any]) -> "Lane":
        """The inverse."""
        return cls(**{**values, "mode": Mode.parse(values["mode"])})


def lane_settings(lane: Lane, flags: Mapping[str, Any]) -> Settings:
    """The user's settings with this lane's place and precision.

    Args:
        lane: the lane.
        flags: settings given on the command line; children read the rest as the parent did.
    """
    own: dict[str, Any] = {"model": lane.model, "dimension": lane.dimension}
    if lane.mode.placement is Placement.REMOTE:
        own["placement"] = Placement.REMOTE
        if lane.own_server_port is not None:
            own["endpoints"] = (f"http://127.0.0.1:{lane.own_server_port}/v1",)
            own["endpoint_model"] = lane.model  # as the server was told it
        if lane.mode.precision is not Precision.FP32:
            own["precision"] = lane.mode.precision
    else:
        flags = {name: value for name, value in flags.items() if name != "endpoints"}
        own |= {"placement": lane.mode.placement, "precision": lane.mode.precision}
    return Settings.load(flags={**flags, **own})
