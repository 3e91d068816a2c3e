"""`semsearch bench` with the real small model."""

import json

import pytest

from app.evaluation import apart
from tests_support import Cli


def test_bench_json_has_machine_versions_and_every_run(cli: Cli) -> None:
    ran = cli("bench", "--model", "minilm", "--modes", "cpu:fp32,cpu:int4", "--runs", "2", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert (found["best"], found["runs"]) == ("cpu:fp32", 2)
    (mode,) = found["modes"]
    assert (mode["mode"], mode["tokens"], len(mode["one_text_ms"])) == ("cpu:fp32", 128, 2)
    assert [item["mode"] for item in found["not_run"]] == ["cpu:int4"]
    assert found["hardware"]["threads"] >= 1
    assert found["versions"]["torch"]
    assert found["article"]["rows"][2]["one_text_ms"] == 1120


def test_bench_table_ends_with_the_verdict(cli: Cli) -> None:
    ran = cli("bench", "--model", "minilm", "--modes", "cpu:fp32", "--runs", "1")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert "cores" in lines[0]
    assert "texts of 128 tokens, medians of 1 runs" in lines[2]
    row = next(line for line in lines if line.startswith("cpu:fp32"))
    assert row.endswith("1120 / - ms")
    assert lines[-1].startswith("Best for one text here: cpu:fp32 with ")


def test_bench_without_a_mode_that_runs_exits_69_with_each_reason(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "BOOT", "import sys; sys.exit('no luck')")
    ran = cli("bench", "--model", "minilm", "--modes", "cpu:fp32", "--json")
    assert ran.code == 69
    assert json.loads(ran.out)["best"] is None
    assert "No mode could be measured. cpu:fp32: its process ended with code 1: no luck" in ran.err


def test_bench_unknown_mode_exits_2_with_the_form(cli: Cli) -> None:
    ran = cli("bench", "--model", "minilm", "--modes", "cpu")
    assert ran.code == 2
    assert "'cpu' is no mode. Write PLACEMENT:PRECISION" in ran.err
