"""Processes that take turns: their answers, their refusals, their deaths."""

from pathlib import Path

import pytest

from app.evaluation import apart
from app.evaluation.bench import bench
from app.evaluation.entrant import OURS, REFERENCES, Entrant, NotRun, split
from app.evaluation.measurement import Measurement
from app.evaluation.report import Report
from app.evaluation.rounds import Budget, Round, rounds_of
from indexer.embedding.hardware.machine import Cpu, Gpu, Hardware, Memory
from indexer.embedding.peers import peer as peers
from indexer.embedding.peers.peer import Peer
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.modes import Mode

FP32, INT8, INT4 = (Entrant(Mode.parse(f"cpu:{name}")) for name in ("fp32", "int8", "int4"))
PLAIN = Entrant(FP32.mode, Peer.TRANSFORMERS)
LAPTOP = Hardware(Cpu("a CPU", 2, 4), Memory(8 << 30, 4 << 30))
WORK = [Round(((), ()), 128, 1, 1.0, [])] * 3
# A child that answers at once with figures planted for each mode, and notes the order.
PLANTED = """
import json, sys
job = json.load(sys.stdin)
name = (job["peer"] or "ours") + " " + job["mode"]
open({log!r}, "a").write(name + "\\n")
one, ram, vector = {rows!r}[name]
if vector is None and job["work"]:
    print(json.dumps({{"refusal": "no more memory"}}))
elif not job["work"]:
    print(json.dumps({{"values": {{"load_s": 7.0}}}}))
else:
    turn = {{"engine": "E", "load_s": 2.0, "cells_ms": [[one] * 4, [3 * one] * 4]}}
    turn |= {{"vectors": [vector], "peak_ram_bytes": ram << 30, "peak_vram_bytes": None}}
    print(json.dumps({{"values": turn}}))
"""


def nothing(_who: str, _what: str) -> None:
    pass


def test_bench_with_planted_figures_recommends_the_planted_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {
        "ours cpu:fp32": (300.0, 3, [1.0, 0.0]),
        "ours cpu:int8": (100.0, 1, [1.0, 0.0]),
        "ours cpu:int4": (50.0, 1, None),  # fails once the rounds begin
        "transformers cpu:fp32": (900.0, 4, [0.6, 0.8]),
    }
    log = tmp_path / "order"
    monkeypatch.setattr(apart, "BOOT", PLANTED.format(log=str(log), rows=rows))
    entrants = [FP32, INT8, INT4, PLAIN]
    outcomes = bench(entrants, {}, WORK, nothing)
    assert outcomes[2] == NotRun("cpu:int4", "round 1 of 3: no more memory")
    report = Report("m", Budget(12), outcomes)
    assert report.best is outcomes[1]
    assert report.best.one_text_ms == ((100.0,) * 4,) * 3
    assert (report.best.first_load_s, report.best.loads_s) == (7.0, (2.0,) * 3)
    assert {label: (j.recommended, j.reason) for label, j in report.judgements.items()} == {
        "cpu:int8": (True, "the fastest for one text, its quality check passed"),
        "cpu:fp32": (False, "3.0x slower than cpu:int8 (3.0x for 4 texts), 2.0 GiB more RAM"),
        "transformers cpu:fp32": (
            False,
            "9.0x slower than cpu:int8 (9.0x for 4 texts), 3.0 GiB more RAM; gives other vectors "
            "than cpu:fp32: cosine 0.600",
        ),
    }
    order = log.read_text().splitlines()
    starts, rounds = order[:4], [order[4:8], order[8:11], order[11:]]
    assert starts == list(rows)
    for number, names in enumerate(rounds):
        assert set(names) == set(rows) - ({"ours cpu:int4"} if number else set())
    assert len({tuple(names) for names in rounds}) > 1  # shuffled anew


def test_bench_measures_modes_and_references_on_the_same_texts(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minilm_spec: ModelSpec
) -> None:
    """A package named like ours in the current folder is left alone."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    monkeypatch.chdir(tmp_path)
    steps: list[tuple[str, str]] = []
    work = rounds_of(load_tokenizer(minilm_spec), Budget(2))
    flags = {"home": home, "model": "minilm"}
    refused, measured, peer = bench(
        [INT4, FP32, PLAIN], flags, work, lambda who, what: steps.append((who, what))
    )
    assert isinstance(refused, NotRun)
    assert refused.label == "cpu:int4"
    assert "cpu:int4" in refused.reason
    assert isinstance(measured, Measurement)
    assert isinstance(peer, Measurement)
    assert (measured.label, measured.tokens, measured.engine) == ("cpu:fp32", 128, "OnnxModel")
    assert (peer.label, peer.engine) == ("transformers cpu:fp32", "transformers")
    for found in (measured, peer):
        assert [len(block) for block in found.one_text_ms] == [1, 1]
        assert [len(block) for block in found.four_texts_ms] == [1, 1]
        assert found.peak_ram_bytes > 50 << 20
        assert found.first_load_s > 0
    assert measured.vectors == [pytest.approx(vector, abs=1e-5) for vector in peer.vectors]
    assert (
        "other vectors"
        not in Report("m", Budget(2), [measured, peer]).judgements[peer.label].reason
    )
    assert ("cpu:fp32", "round 2 of 2, 4 texts, run 1 of 1") in steps


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), 9)", "ended by signal 9. Probably memory ran"),
        ("import sys; sys.stderr.write('one\\ntwo\\n'); sys.exit(3)", "ended with code 3: two"),
        ("import sys; sys.stdin.read(); sys.exit(4)", "ended with code 4: no message"),
        ("print('{\"step\": \"loading\"}'); raise ValueError('odd')", "code 1: ValueError: odd"),
    ],
)
def test_bench_process_that_dies_is_named_and_the_next_one_runs(
    monkeypatch: pytest.MonkeyPatch, program: str, reason: str
) -> None:
    monkeypatch.setattr(apart, "BOOT", program)
    first, second = bench([FP32, INT4], {}, WORK, nothing)
    assert isinstance(first, NotRun)
    assert isinstance(second, NotRun)
    assert (first.label, second.label) == ("cpu:fp32", "cpu:int4")
    assert reason in first.reason
    assert reason in second.reason


def test_bench_mode_that_another_replaces_is_not_measured_under_its_name(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A precision that fails its quality check is replaced: the figures would be of the other."""
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv.pop(1);"
        "from app.search import models; from app.evaluation.child import main;"
        "models.is_good_enough = lambda e, f, say:"
        " e.mode.precision != 'int8' or bool(say('cpu:int8 is too far off.'));"
        "main()"
    )
    monkeypatch.setattr(apart, "BOOT", program)
    flags = {"home": home, "model": "minilm"}
    outcomes = bench([INT8], flags, WORK, nothing)
    assert outcomes == [NotRun("cpu:int8", "cpu:int8 is too far off. Using cpu:fp32 instead.")]


def test_bench_interrupted_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        apart, "BOOT", 'import time; print(\'{"step": "x"}\', flush=True); time.sleep(60)'
    )

    def interrupt(_who: str, _what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # and at once: leaving waits for the process
        bench([FP32], {}, WORK, interrupt)


def test_what_needs_a_gpu_is_not_tried_without_one() -> None:
    usable, missing = split([*OURS, *REFERENCES], LAPTOP)
    assert [entrant.label for entrant in usable] == [
        "cpu:int8",
        "cpu:fp32",
        "transformers cpu:fp32",
        "sentence-transformers cpu:fp32",
    ]
    assert {item.reason for item in missing} == {"no NVIDIA GPU was found"}
    assert NotRun("accelerate offload:fp16", "no NVIDIA GPU was found") in missing
    with_gpu = Hardware(LAPTOP.cpu, LAPTOP.memory, (Gpu(0, "T4", 16 << 30, 15 << 30, (7, 5)),))
    assert split(OURS, with_gpu) == (list(OURS), [])


def test_reference_that_is_not_installed_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda name: None if "sentence" in name else "there")
    usable, missing = split(REFERENCES[3:], LAPTOP)
    assert usable == [PLAIN]
    reason = "sentence-transformers is not installed: pip install sentence-transformers"
    assert missing == [NotRun("sentence-transformers cpu:fp32", reason)]
