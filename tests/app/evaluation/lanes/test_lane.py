"""Settings of a lane: the user's, but for where and in what the model runs."""

from pathlib import Path

import pytest

from app.evaluation.lanes.lane import Lane, lane_settings
from indexer.modes import Mode, Placement, Precision

URL = "http://gpu:30000/v1"


@pytest.mark.parametrize("mode", ["cpu:int8", "offload:bf16", "remote:fp32", "remote:bf16"])
def test_lane_survives_its_way_to_the_child(mode: str) -> None:
    lane = Lane("some/model", 256, Mode.parse(mode), 4711 if mode == "remote:fp32" else None)
    assert Lane.of_job(lane.to_job()) == lane
    assert lane.label == f"some/model 256 {mode}"


def test_endpoints_of_the_command_line_are_for_remote_lanes_alone(home: Path) -> None:
    flags = {"home": str(home), "endpoints": [URL]}
    remote = lane_settings(Lane("m", None, Mode.parse("remote:fp32")), flags)
    assert (remote.endpoints, remote.placement, remote.precision) == (
        (URL,),
        Placement.REMOTE,
        None,
    )
    local = lane_settings(Lane("m", None, Mode.parse("cpu:int8")), flags)
    assert (local.endpoints, local.placement, local.precision) == (
        (),
        Placement.CPU,
        Precision.INT8,
    )
    assert not local.runs_remote


def test_users_own_remote_settings_do_not_reach_a_local_lane(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMSEARCH_PLACEMENT", "remote")
    monkeypatch.setenv("SEMSEARCH_ENDPOINTS", URL)
    local = lane_settings(Lane("m", None, Mode.parse("cpu:fp32")), {"home": str(home)})
    assert not local.runs_remote
    own = lane_settings(Lane("m", None, Mode.parse("remote:fp32"), 4711), {"home": str(home)})
    assert own.endpoints == ("http://127.0.0.1:4711/v1",)
    assert own.endpoint_model == "m"
