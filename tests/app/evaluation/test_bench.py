"""A process for each mode: its answer, its refusal, its death."""

from pathlib import Path

import pytest

from app.evaluation import apart
from app.evaluation.bench import DEFAULT_MODES, NotRun, bench, split_modes
from app.evaluation.measurement import Measurement
from indexer.embedding.hardware.machine import Cpu, Gpu, Hardware, Memory
from indexer.modes import Mode, Placement, Precision

FP32 = Mode(Placement.CPU, Precision.FP32)
INT4 = Mode(Placement.CPU, Precision.INT4)
LAPTOP = Hardware(Cpu("a CPU", 2, 4), Memory(8 << 30, 4 << 30))


def test_bench_measures_one_mode_and_names_why_another_cannot_run(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package named like ours in the current folder is left alone."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    monkeypatch.chdir(tmp_path)
    steps: list[tuple[str, str]] = []
    flags = {"home": home, "model": "minilm"}
    refused, measured = bench(
        [INT4, FP32], flags, 2, lambda mode, step: steps.append((str(mode), step))
    )
    assert isinstance(refused, NotRun)
    assert refused.mode == "cpu:int4"
    assert "cpu:int4" in refused.reason
    assert isinstance(measured, Measurement)
    assert (measured.mode, measured.tokens) == ("cpu:fp32", 128)
    assert (len(measured.one_text_ms), len(measured.four_texts_ms)) == (2, 2)
    assert measured.peak_rss_bytes > 50 << 20
    assert (measured.first_load_s or 0) > 0
    assert ("cpu:fp32", "batch 4, run 2 of 2") in steps


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
    outcomes = list(bench([FP32, INT4], {}, 1, lambda _mode, _step: None))
    assert [outcome.mode for outcome in outcomes] == ["cpu:fp32", "cpu:int4"]
    assert all(isinstance(outcome, NotRun) for outcome in outcomes)
    assert all(reason in outcome.reason for outcome in outcomes if isinstance(outcome, NotRun))


def test_bench_mode_that_another_replaces_is_not_measured_under_its_name(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    int8 = Mode(Placement.CPU, Precision.INT8)
    flags = {"home": home, "model": "minilm"}
    (outcome,) = bench([int8], flags, 1, lambda _mode, _step: None)
    assert isinstance(outcome, NotRun)
    assert outcome.reason == "cpu:int8 is too far off. Using cpu:fp32 instead."


def test_bench_interrupted_ends_its_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        apart, "BOOT", 'import time; print(\'{"step": "x"}\', flush=True); time.sleep(60)'
    )

    def interrupt(_mode: Mode, _step: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # and at once: leaving waits for the process
        list(bench([FP32], {}, 1, interrupt))


def test_modes_that_need_a_gpu_are_not_tried_without_one() -> None:
    usable, missing = split_modes(LAPTOP)
    assert [str(mode) for mode in usable] == ["cpu:int8", "cpu:fp32"]
    assert {item.reason for item in missing} == {"no NVIDIA GPU was found"}
    assert len(usable) + len(missing) == len(DEFAULT_MODES)
    with_gpu = Hardware(LAPTOP.cpu, LAPTOP.memory, (Gpu(0, "T4", 16 << 30, 15 << 30, (7, 5)),))
    assert split_modes(with_gpu) == (list(DEFAULT_MODES), [])
