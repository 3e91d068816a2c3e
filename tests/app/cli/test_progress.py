"""What a person sees while indexing and at the end, on a terminal, in a log, under --json."""

import io
import sys
from pathlib import Path

import pytest

from app.cli import progress as progress_module
from app.cli.progress import Screen, show_dry_run, show_report, watch
from indexer.embedding.spec import ModelSpec
from indexer.pipeline.dry_run import DryRun
from indexer.pipeline.report import Progress, Report
from indexer.types import Skipped, SkipReason

HALF = Progress(1_200, 2_400, 5_000, 90_000, 1_234.5, 50, 100, 90.0)
LAST = Progress(2_400, 2_400, 10_000, 180_000, 1_234.5, 100, 100, 180.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    return clock


def test_screen_on_a_terminal_rewrites_one_line_and_clears_it(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Screen(live=True, silent=False)
    clock.now += 1
    screen.on_progress(HALF)
    line = "1,200/2,400 files, 5,000 chunks, 1,234 tokens/s, about 1 min 30 s left"
    assert capsys.readouterr().err == f"\r{line}"
    clock.now += 0.05
    screen.on_progress(HALF)
    assert capsys.readouterr().err == ""
    clock.now += 1
    screen.on_progress(Progress(1, 2, 3, 0, 0.0, 0, 10, 1.0))
    short = "1/2 files, 3 chunks, no model work"
    assert capsys.readouterr().err == "\r" + short.ljust(len(line))
    screen.clear()
    out, err = capsys.readouterr()
    assert (out, err) == ("", "\r" + " " * len(short) + "\r")  # blanks stood behind it already
    screen.clear()
    assert capsys.readouterr().err == ""


def test_screen_in_a_log_writes_a_line_now_and_then_and_the_last(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Screen(live=False, silent=False)
    for _ in range(100):
        clock.now += 0.125
        screen.on_progress(HALF)
    for _ in range(3):  # the batches after the last file was read
        screen.on_progress(LAST)
    screen.finish()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" files")[0] for line in lines] == [
        "1,200/2,400",
        "1,200/2,400",
        "2,400/2,400",
    ]
    assert "\r" not in "".join(lines)


def test_screen_silent_says_nothing(
    clock: Clock, capsys: pytest.CaptureFixture[str], minilm_spec: ModelSpec
) -> None:
    screen = Screen(live=False, silent=True)
    screen.loading(minilm_spec)
    clock.now += 60
    screen.on_progress(LAST)
    screen.on_download("model.safetensors", 1, 2)
    screen.clear()
    assert capsys.readouterr() == ("", "")


def test_screen_shows_a_download(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(live=True, silent=False)
    clock.now += 1
    screen.on_download("model.safetensors", 300 << 20, 1 << 30)
    clock.now += 1
    screen.on_download("b\x1b[2J", 5 << 10, 0)
    first, second = capsys.readouterr().err.lstrip("\r").split("\r")
    assert first == "Downloading model.safetensors: 300.0 MiB of 1.00 GiB"
    assert second.rstrip() == "Downloading b\\x1b[2J: 5 KiB"


@pytest.mark.parametrize(
    ("as_json", "terminal", "speaks"),
    [(False, True, True), (False, False, True), (True, True, True), (True, False, False)],
)
def test_watch_is_quiet_under_json_unless_a_person_looks_on(
    monkeypatch: pytest.MonkeyPatch,
    minilm_spec: ModelSpec,
    as_json: bool,
    terminal: bool,
    speaks: bool,
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    with watch(as_json) as screen:
        screen.loading(minilm_spec)
    expected = "Loading sentence-transformers/all-MiniLM-L6-v2 ...\n" if speaks else ""
    assert stream.getvalue() == expected


def test_watch_leaves_a_clean_line_after_a_failure(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", stream)
    clock.now += 1

    def interrupted() -> None:
        with watch(as_json=False) as screen:
            clock.now += 1
            screen.on_progress(HALF)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert stream.getvalue().endswith(" \r")


def test_report_counts_what_happened_and_leaves_stdout_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = Report(
        **{"added": 1_234, "changed": 2, "moved": 3, "touched": 4, "removed": 5, "unchanged": 6},
        **{"documents": 1_300, "chunks": 9_000, "embedded": 8_000, "reused": 1_000},
        **{"tokens": 500_000, "model_s": 250.0, "seconds": 3_725.0},
    )
    show_report(report, "notes", None, as_json=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "Collection notes: 1,234 added, 2 changed, 3 moved, 4 touched, 5 removed, 6 unchanged.",
        "1,300 documents, 9,000 chunks: 8,000 embedded (500,000 tokens at 2,000 tokens/s), "
        "1,000 reused.",
        "Done in 1 h 02 min.",
    ]


def test_report_of_an_empty_folder_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    show_report(Report(seconds=0.04), "notes", None, as_json=False)
    assert capsys.readouterr().err == "Collection notes: nothing found.\nDone in 0.0 s.\n"


def test_report_names_each_skipped_file_with_its_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    skipped = [
        Skipped(tmp_path / "a.pdf", SkipReason.ENCRYPTED, "needs a password"),
        Skipped(tmp_path / "b.png", SkipReason.BINARY, ""),
        Skipped(tmp_path / "c.pdf", SkipReason.ENCRYPTED, "needs a password"),
        *(Skipped(tmp_path / f"i{n}", SkipReason.IGNORED, "") for n in range(1_200)),
    ]
    show_report(Report(skipped=skipped), "notes", None, as_json=False)
    assert capsys.readouterr().err.splitlines()[:5] == [
        "Skipped (encrypted) a.pdf: needs a password",
        "Skipped (encrypted) c.pdf: needs a password",
        "Skipped (binary) b.png",
        "Skipped (ignored): 1,200 files and folders; --json names each.",
        "Collection notes: 1,203 skipped.",
    ]


def test_report_names_the_first_of_many_and_counts_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    skipped = [Skipped(Path(f"/n{n}"), SkipReason.BROKEN, "") for n in range(1_051)]
    show_report(Report(skipped=skipped), "notes", None, as_json=False)
    lines = capsys.readouterr().err.splitlines()
    assert lines[49:51] == [
        "Skipped (broken) /n49",
        "... and 1,001 more (broken); --json names each.",
    ]


def test_report_escapes_hostile_names_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    """The reason quotes the name, and both come from a stranger's archive."""
    name = "a\x1b]0;owned\x07\u202etxt\nCollection notes: 9 added.\udcff"
    item = Skipped(Path(f"/{name}"), SkipReason.UNREADABLE, f"/{name}: permission denied")
    show_report(Report(skipped=[item]), "notes", None, as_json=False)
    first, *rest = capsys.readouterr().err.splitlines()
    assert rest == ["Collection notes: 1 skipped.", "Done in 0.0 s."]
    shown = "/a\\x1b]0;owned\\x07\\u202etxt\\nCollection notes: 9 added."
    assert first == f"Skipped (unreadable) {shown}\\xff: {shown}\\udcff: permission denied"


def test_dry_run_says_what_a_run_would_cost(capsys: pytest.CaptureFixture[str]) -> None:
    foreseen = DryRun(
        **{"files": 40, "bytes": 3 << 20, "unchanged": 2, "removed": 1, "documents": 41},
        **{"chunks": 100, "tokens": 30_000, "new_tokens": 20_000, "mode": "cpu:fp32"},
        **{"tokens_per_s": 100.0, "seconds": 200.0, "ram_bytes": 2 << 30, "disk_bytes": 900_000},
        skipped=(Skipped(Path("/x.bin"), SkipReason.BINARY, ""),),
    )
    show_dry_run(foreseen, as_json=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "Skipped (binary) /x.bin",
        "40 files to read (3.0 MiB), 2 unchanged, 1 to remove, 1 skipped.",
        "41 documents, 100 chunks, 20,000 tokens to embed of 30,000.",
        "Predicted on cpu:fp32: 3 min 20 s (100 tokens/s), 2.00 GiB RAM, 879 KiB disk. "
        "Nothing was changed.",
    ]
