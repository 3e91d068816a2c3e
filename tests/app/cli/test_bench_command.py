"""`semsearch bench` with the real small model, and its table with chosen figures."""

import json

import pytest

from app.cli.bench_table import bench_lines
from app.evaluation import apart
from app.evaluation.entrant import NotRun
from app.evaluation.report import Report
from app.evaluation.rounds import Budget
from bench_rows import GIB, ran
from indexer.embedding.hardware.machine import Cpu, Gpu, Hardware, Memory
from indexer.embedding.peers.peer import Peer
from tests_support import Cli

T4 = Hardware(
    Cpu("a CPU", 2, 4), Memory(8 * GIB, 4 * GIB), (Gpu(0, "T4", 16 * GIB, 15 * GIB, (7, 5)),)
)


def test_bench_json_has_machine_versions_and_every_run(cli: Cli) -> None:
    ran = cli("bench", "--model", "minilm", "--modes", "cpu:fp32,cpu:int4", "--runs", "2", "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert (found["recommended"], found["cell"]["runs"]) == ("cpu:fp32", 2)
    (mode,) = found["modes"]
    assert (mode["mode"], mode["tokens"], mode["one_text"]["n"]) == ("cpu:fp32", 128, 2)
    assert [len(block) for block in mode["four_texts"]["runs_ms"]] == [1, 1]
    assert mode["reason"].startswith("the only mode measured, the plan ")
    assert [item["label"] for item in found["not_run"]] == ["cpu:int4"]
    assert found["hardware"]["threads"] >= 1
    assert found["versions"]["torch"]


def test_bench_compare_adds_references_that_give_the_same_vectors(cli: Cli) -> None:
    ran = cli(
        "bench",
        *("--model", "minilm", "--modes", "cpu:fp32", "--runs", "1", "--compare", "--json"),
    )
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    cosines = {mode["label"]: mode["agreement"] for mode in found["modes"]}
    assert set(cosines) == {
        "cpu:fp32",
        "transformers cpu:fp32",
        "sentence-transformers cpu:fp32",
    }
    for label in ("transformers cpu:fp32", "sentence-transformers cpu:fp32"):
        assert cosines[label]["yardstick"] == "cpu:fp32"
        assert cosines[label]["cosine"] > 0.99999
    assert found["recommended"] == "cpu:fp32"
    missing = {item["label"]: item["reason"] for item in found["not_run"]}
    assert missing["accelerate offload:fp16"] == "no NVIDIA GPU was found"


def test_bench_prints_the_table_and_ends_with_the_advice(cli: Cli) -> None:
    ran = cli("bench", "--model", "minilm", "--modes", "cpu:fp32", "--runs", "1", "--seconds", "0")
    assert ran.code == 0, ran.err
    assert "cores" in ran.out.splitlines()[0]
    text = " ".join(ran.out.split())
    assert "texts of 128 tokens, none twice; 1 run of each size, in 1 round: in each" in text
    assert "cpu:fp32 recommended: the only mode measured" in text
    assert "which was not measured; of what was, take cpu:fp32, " in text


def test_table_shows_each_row_within_100_columns() -> None:
    rows = [
        ran("gpu:fp16", 14.04, 21, ram=GIB, vram=3 * GIB // 2),
        ran("cpu:fp32", 12345, 56789, ram=30 * GIB, peer=Peer.SENTENCE_TRANSFORMERS),
        NotRun("gpu:int8", "too far off"),
    ]
    report = Report("Qwen/Qwen3-Embedding-0.6B", Budget(), rows, vram_bytes=15 * GIB)
    lines = list(bench_lines(report, T4, 2))
    assert max(map(len, lines)) <= 100
    start = next(i for i, line in enumerate(lines) if line.split()[:3] == ["ms", "n", "mean"])
    assert lines[start].split() == [
        *("ms", "n", "mean", "p50", "p99", "tokens/s", "load", "RAM", "VRAM", "article")
    ]
    assert lines[start + 1] == "gpu:fp16  recommended: the only mode measured"
    assert lines[start + 2].split() == [
        *("1", "text", "6", "14", "14", "14", "1.5", "s", "1.0", "GiB", "1.5", "GiB", "48")
    ]
    assert lines[start + 3].split() == [*("4", "texts", "6", "21", "21", "21", "24,381", "62")]
    text = "\n".join(lines)
    assert "none twice; 100 runs of each size or 60 s, at least 10, in 5 rounds:" in " ".join(lines)
    assert "sentence-transformers cpu:fp32  for comparison: 879.3x slower than gpu:fp16" in text
    assert "Not run: gpu:int8: too far off" in lines
    assert "p99 is interpolated: of fewer than 100 runs it lies between the two slowest." in lines
    assert "layer-wise CPU offload 210 / 245 ms, 0.6 GB VRAM" in " ".join(lines)
    assert "and so does the measurement: take gpu:fp16, 14 ms" in " ".join(lines)


def test_bench_without_a_mode_that_runs_exits_69_with_each_reason(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "BOOT", "import sys; sys.exit('no luck')")
    ran = cli("bench", "--model", "minilm", "--modes", "cpu:fp32", "--json")
    assert ran.code == 69
    assert json.loads(ran.out)["recommended"] is None
    assert "No mode could be measured. cpu:fp32: its process ended with code 1: no luck" in ran.err


def test_bench_unknown_mode_exits_2_with_the_form(cli: Cli) -> None:
    ran = cli("bench", "--model", "minilm", "--modes", "cpu")
    assert ran.code == 2
    assert "'cpu' is no mode. Write PLACEMENT:PRECISION" in ran.err
