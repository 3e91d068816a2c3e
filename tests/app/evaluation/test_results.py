"""Results are written whole and read with suspicion."""

import json
from pathlib import Path

import pytest

from app.evaluation.results import Results
from evaluation_results import results
from indexer.errors import UsageError


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results().write(path)
    assert Results.read(path) == results()
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "(format: Input should be 1)"),
        ({"rounds": "many"}, "(rounds: Input should be a valid integer"),
        ({"surprise": 1}, "(surprise: Extra inputs are not permitted)"),
        ({"seconds": float("nan")}, "(seconds: Input should be a finite number)"),
    ],
)
def test_file_that_is_no_results_is_refused_by_the_first_fault(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    path = tmp_path / "results.json"
    values = json.loads(results().model_dump_json()) | change
    path.write_text(json.dumps(values))
    with pytest.raises(UsageError) as refused:
        Results.read(path)
    assert str(refused.value).startswith(f"{path}: no results that this version reads")
    assert said in str(refused.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone.json: No such file"):
        Results.read(tmp_path / "gone.json")
