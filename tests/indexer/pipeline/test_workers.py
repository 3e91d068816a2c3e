"""Worker processes: outcomes in order, one killed, the parent killed, the reader gone."""

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.documents.chunk import ChunkOptions
from indexer.documents.read import ReadLimits
from indexer.embedding.spec import ModelSpec
from indexer.errors import ReadError
from indexer.pipeline.prepare import Job, Outcome, PrepareOptions
from indexer.pipeline.workers import MIN_FILES_FOR_WORKERS, TASK_BYTES, TASK_FILES, prepare_all
from indexer.types import Contract, FileChange, FoundFile, Skipped, SkipReason

FILES = MIN_FILES_FOR_WORKERS + 20


@pytest.fixture
def options(minilm_spec: ModelSpec, contract: Contract) -> PrepareOptions:
    return PrepareOptions(minilm_spec, contract, ChunkOptions(), ReadLimits(), 1 << 20, {})


def make_jobs(folder: Path, count: int) -> list[Job]:
    """Small files; every seventh holds nothing, one is HTML, one is not there."""
    jobs = []
    for number in range(count):
        path = folder / f"{number:04}.{'html' if number == 5 else 'txt'}"
        if number != 9:
            path.write_text("" if number % 7 == 3 else f"File number {number} stands here.\n")
        jobs.append(Job(FoundFile(path, 30, 1), None))
    return jobs


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    return make_jobs(tmp_path, FILES)


def told(outcome: Outcome) -> tuple[str, str]:
    """(file name, text or reason)."""
    if isinstance(outcome, Skipped):
        return outcome.path.name, str(outcome.reason)
    assert isinstance(outcome, FileChange)
    ((chunk,),) = (document.chunks for document in outcome.documents)
    return Path(os.fsdecode(outcome.stamp.path)).name, chunk.text.strip()


def expected(number: int) -> tuple[str, str]:
    if number == 5:
        return "0005.html", "File number 5 stands here."
    if number == 9:
        return "0009.txt", str(SkipReason.UNREADABLE)
    empty = number % 7 == 3
    text = str(SkipReason.EMPTY) if empty else f"File number {number} stands here."
    return f"{number:04}.txt", text


def test_outcomes_of_two_workers_come_in_the_order_of_the_files(
    jobs: list[Job], options: PrepareOptions
) -> None:
    seen = [told(outcome) for outcome in prepare_all(jobs, options, workers=2)]
    assert seen == [expected(number) for number in range(FILES)]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(("count", "workers"), [(30, 2), (FILES, 0)])
def test_few_files_or_no_workers_start_no_process(
    tmp_path: Path, options: PrepareOptions, count: int, workers: int
) -> None:
    preparing = prepare_all(make_jobs(tmp_path, count), options, workers)
    assert told(next(preparing)) == expected(0)
    assert multiprocessing.active_children() == []
    assert [told(outcome) for outcome in preparing] == [expected(n) for n in range(1, count)]


def test_killed_worker_is_a_read_error_that_says_what_to_do(
    jobs: list[Job], options: PrepareOptions
) -> None:
    preparing = prepare_all(jobs, options, workers=1)
    assert told(next(preparing)) == expected(0)
    (worker,) = multiprocessing.active_children()
    worker.kill()
    # What the worker had handed over already may still come; the end is always the error.
    with pytest.raises(ReadError, match=r"was killed.*memory.*run the same command again"):
        list(preparing)
    assert multiprocessing.active_children() == []


def test_reader_that_stops_early_leaves_no_worker(jobs: list[Job], options: PrepareOptions) -> None:
    """As on Ctrl-C: the loop over the outcomes ends in the middle."""
    preparing = prepare_all(jobs, options, workers=2)
    next(preparing)
    assert len(multiprocessing.active_children()) == 2
    preparing.close()
    assert multiprocessing.active_children() == []


def test_tasks_are_closed_by_count_and_by_size() -> None:
    from indexer.pipeline.workers import _tasks

    def sizes(*file_bytes: int) -> list[int]:
        found = (Job(FoundFile(Path("/x"), size, 1), None) for size in file_bytes)
        return [len(task) for task in _tasks(found)]

    assert sizes(*[1] * (2 * TASK_FILES + 1)) == [TASK_FILES, TASK_FILES, 1]
    assert sizes(1, TASK_BYTES, 1, TASK_BYTES // 2, TASK_BYTES // 2, 1) == [2, 3, 1]
    assert sizes() == []


PARENT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import MINILM_CHUNKER
from indexer.documents.chunk import ChunkOptions
from indexer.documents.read import ReadLimits
from indexer.embedding.models import resolve
from indexer.embedding.spec import load_spec
from indexer.pipeline.prepare import Job, PrepareOptions
from indexer.pipeline.workers import prepare_all
from indexer.types import FoundFile

if __name__ == "__main__":
    ref = resolve("minilm")
    spec = load_spec(ref.folder, ref)
    contract = spec.contract(MINILM_CHUNKER)
    options = PrepareOptions(spec, contract, ChunkOptions(), ReadLimits(), 1 << 20, {})
    paths = sorted(Path(sys.argv[1]).iterdir())
    jobs = [Job(FoundFile(path, 30, 1), None) for path in paths]
    preparing = prepare_all(jobs, options, workers=2)
    for _ in range(100):
        next(preparing)
    print("working", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL; TerminateProcess is not the same")
def test_parent_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    """Every descendant inherits the parent's stdout: it ends when the last of them is gone."""
    folder = tmp_path / "files"
    folder.mkdir()
    make_jobs(folder, FILES)
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    tests = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder), str(tests)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=60)
    assert (process.returncode, rest) == (-signal.SIGKILL, "")
