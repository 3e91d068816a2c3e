"""Which modes an evaluation runs: all that this machine has, or just those named."""

from pathlib import Path

import pytest

from app.evaluation import choose as module
from app.evaluation.choose import choose_lanes, parse_modes
from app.search.models import Models
from app.settings import Settings
from indexer.embedding.hardware.machine import Cpu, Hardware, Memory, TorchBuild
from indexer.embedding.planning.planner import make_plan
from indexer.errors import UsageError
from indexer.modes import Mode, Placement


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """On a laptop without a GPU, whatever the machine of the test has."""
    torch = TorchBuild("2.13.0+cpu")
    laptop = Hardware(Cpu("a CPU", 2, 4), Memory(8 << 30, 4 << 30), torch=torch)
    monkeypatch.setattr(
        module,
        "plan_for",
        lambda size, wishes, checked, **_: make_plan(size, laptop, wishes, checked),
    )
    return Settings.load()


def test_all_modes_are_those_of_the_machine_and_the_others_have_a_reason(
    settings: Settings,
) -> None:
    chosen = choose_lanes(settings, Models(settings), ["minilm"], [], "all")
    assert {str(lane.mode) for lane in chosen.lanes} == {*("cpu:fp32", "cpu:int8", "remote:fp32")}
    reasons = {item.label: item.reason for item in chosen.not_run}
    assert reasons["minilm cpu:bf16"].startswith("not native: ")
    assert reasons["minilm gpu:fp16"].startswith("no hardware: ")
    assert reasons["minilm gpu:int4"].startswith("not available: ")
    assert not {lane.label for lane in chosen.lanes} & set(reasons)


def test_remote_without_an_endpoint_gets_a_server_of_our_own_and_others_none(
    settings: Settings,
) -> None:
    own = choose_lanes(settings, Models(settings), ["minilm"], [], "remote,cpu:fp32").lanes
    assert [lane.own_server_port is not None for lane in own] == [True, False]
    named = Settings.load(flags={"endpoints": ("http://127.0.0.1:1/v1",)})
    [remote] = choose_lanes(named, Models(named), ["minilm"], [], "remote").lanes
    assert remote.own_server_port is None


def test_without_a_wish_it_is_the_mode_that_the_plan_recommends(settings: Settings) -> None:
    [lane] = choose_lanes(settings, Models(settings), ["minilm"], [], None).lanes
    assert str(lane.mode) == "cpu:fp32"


def test_dimension_that_the_model_cannot_give_is_refused_before_anything_runs(
    settings: Settings,
) -> None:
    with pytest.raises(UsageError, match="128"):
        choose_lanes(settings, Models(settings), ["minilm"], [128], "all")


def test_modes_are_parsed_once_each() -> None:
    assert [str(mode) for mode in parse_modes("cpu:int8, remote,cpu:int8")] == [
        "cpu:int8",
        "remote:fp32",
    ]
    assert parse_modes("remote:bf16") == [Mode.parse("remote:bf16")]
    assert parse_modes("remote")[0].placement is Placement.REMOTE
    with pytest.raises(UsageError, match="'fast' is no mode"):
        parse_modes("fast")
