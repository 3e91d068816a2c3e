"""What other processes see of a run."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.pipeline.progress_file import FILE, ProgressFile, read_progress
from indexer.pipeline.report import Progress

MOMENT = Progress(1, 4, 10, 200, 50.0, 100, 400, 2.0)


def test_progress_is_there_during_the_run_and_gone_after_it(tmp_path: Path) -> None:
    with ProgressFile(tmp_path) as file:
        assert read_progress(tmp_path, os.getpid()) is None
        file.write(MOMENT)
        file.write(replace(MOMENT, files_done=2))  # too soon after the first
        assert read_progress(tmp_path, os.getpid()) == MOMENT
        assert read_progress(tmp_path, os.getpid() + 1) is None
    assert list(tmp_path.iterdir()) == []


def test_progress_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    with ProgressFile(tmp_path / "missing") as file:
        file.write(MOMENT)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": 1}', '{"pid": 1, "x": 2}', "\xff"])
def test_progress_file_that_is_none_tells_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content, encoding="latin-1")
    assert read_progress(tmp_path, 1) is None


def test_progress_with_endless_numbers_tells_nothing(tmp_path: Path) -> None:
    """JSON answers cannot hold them."""
    with ProgressFile(tmp_path) as file:
        file.write(replace(MOMENT, elapsed_s=float("inf")))
        assert "Infinity" in json.dumps(json.loads((tmp_path / FILE).read_text()))
        assert read_progress(tmp_path, os.getpid()) is None
