"""`semsearch plan`: the table, the JSON, wishes, and machines on which nothing fits."""

import json
from pathlib import Path

import pytest
from planned_machines import GIB, H200, T4, machine

from app.cli.plan_table import plan_lines, plan_values
from indexer.embedding.hardware import probe as probe_module
from indexer.embedding.hardware.machine import Memory, Rates
from indexer.embedding.planning import choose
from indexer.embedding.planning.planner import make_plan
from indexer.embedding.planning.published import PUBLISHED, SMALLER
from indexer.embedding.wishes import Wishes
from indexer.modes import Placement
from tests_support import Cli

RATES = Rates(172e9, 385e9, 30e9, measured=True)


@pytest.fixture(autouse=True)
def known_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module, "measure_rates", lambda _cpu: RATES)


def test_plan_recommends_first_and_shows_every_mode(cli: Cli) -> None:
    ran = cli("plan", "--model", "minilm", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    first, *others = found["modes"]
    assert first["verdict"] == "recommended"
    assert first["mode"] == found["recommended"]
    assert first["speed"]["latency"] == "instant"
    assert {"gpu:bf16", "offload:bf16", "cpu:fp32", "cpu:int8"} <= {m["mode"] for m in others} | {
        first["mode"]
    }
    assert found["hardware"]["memory"]["total_bytes"] > 0
    assert found["threads"] >= 1


def test_plan_of_a_published_model_downloads_nothing(cli: Cli, home: Path) -> None:
    ran = cli("plan", "--model", "qwen3-0.6b", "--json")
    assert ran.code in (0, 69)
    assert json.loads(ran.out)["model"] == "Qwen/Qwen3-Embedding-0.6B"
    assert not home.exists()


def test_plan_of_a_model_of_unknown_size_says_how_to_get_it(cli: Cli) -> None:
    ran = cli("plan", "--model", "someone/something")
    assert ran.code == 69
    assert "semsearch model pull someone/something" in ran.err


def test_table_fits_80_columns_and_names_verdicts(cli: Cli) -> None:
    ran = cli("plan", "--model", "minilm", "--placement", "cpu")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert any(line.startswith("* cpu:fp32/") for line in lines)
    assert "    not asked for: placement cpu was asked for" in lines


def test_nothing_fits_is_an_error_after_the_table(cli: Cli) -> None:
    ran = cli("plan", "--model", "minilm", "--max-ram", "10", "--placement", "cpu")
    assert ran.code == 69
    assert "--max-ram is 10 MiB" in ran.out
    assert "no mode can be recommended. Nearest is cpu:" in ran.err
    assert json.loads(cli("plan", "--max-ram", "10", "--json").out)["recommended"] is None


@pytest.mark.parametrize("option", ["--max-ram", "--max-vram"])
def test_senseless_budget_is_refused(cli: Cli, option: str) -> None:
    assert cli("plan", option, "0").code == 2


def test_wide_table_of_a_machine_with_everything_fits_80_columns() -> None:
    hardware = machine(0.9, T4, H200)
    plan = make_plan(PUBLISHED["qwen3-8b"], hardware, Wishes(), frozenset(), SMALLER)
    assert plan.smaller
    assert max(len(line) for line in plan_lines(plan)) <= 80
    json.dumps(plan_values(plan))


def test_dry_run_and_plan_predict_the_same(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\nSome words.\n")
    ran = cli("index", str(tmp_path / "docs"), "--model", "minilm", "--dry-run", "--json")
    assert ran.code == 0, ran.err
    foreseen = json.loads(ran.out)
    planned = json.loads(cli("plan", "--model", "minilm", "--json").out)["modes"][0]
    assert foreseen["mode"] == planned["mode"]
    assert foreseen["ram_bytes"] == planned["ram"]["peak"]
    assert foreseen["tokens_per_s"] == planned["speed"]["tokens_per_s"]


def test_auto_placement_refuses_what_does_not_fit(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing must be left behind when the planner says no."""
    (tmp_path / "a.md").write_text("# A\n\nSome words.\n")
    tight = Memory(GIB, 50 << 20)
    monkeypatch.setattr(probe_module, "read_memory", lambda: (tight, []))
    ran = cli("index", str(tmp_path / "a.md"), "--model", "minilm")
    assert ran.code == 69
    assert "no mode can be recommended. Nearest is cpu:" in ran.err
    assert "can be used" in ran.err


def test_torch_is_asked_for_gpus_the_driver_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers may carry CUDA without the driver's monitoring library."""
    from indexer.embedding.hardware import torch_gpus

    monkeypatch.setattr(choose, "probe", lambda *_, **__: machine(64))
    monkeypatch.setattr(torch_gpus, "read_torch_gpus", lambda: (H200,))
    plan = choose.plan_for(PUBLISHED["minilm"], Wishes(Placement.GPU))
    assert plan.recommended is not None
    assert plan.recommended.mode.placement is Placement.GPU
    assert choose.plan_for(PUBLISHED["minilm"], Wishes()).hardware.gpus == ()
