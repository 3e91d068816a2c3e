"""The sample folder and its judgements, as the tests of the data see them."""

import csv
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def sample(root: Path) -> Path:
    """The folder of sample documents."""
    return root / "data" / "sample"


@pytest.fixture(scope="session")
def files(sample: Path) -> list[Path]:
    """All sample files in a stable order."""
    return sorted(path for path in sample.rglob("*") if path.is_file())


@pytest.fixture(scope="session")
def queries(root: Path) -> dict[str, dict[str, object]]:
    """Queries by id; a doubled id fails here."""
    found: dict[str, dict[str, object]] = {}
    for line in (root / "data/eval/queries.jsonl").read_text(encoding="utf-8").splitlines():
        query = json.loads(line)
        assert query["_id"] not in found, query["_id"]
        found[query["_id"]] = query
    return found


@pytest.fixture(scope="session")
def qrels(root: Path) -> dict[str, dict[str, int]]:
    """{query id: {document id: grade}}; a doubled pair fails here."""
    judged: dict[str, dict[str, int]] = {}
    with (root / "data/eval/qrels/test.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t")
        assert next(rows) == ["query-id", "corpus-id", "score"]
        for query_id, document_id, grade in rows:
            grades = judged.setdefault(query_id, {})
            assert document_id not in grades, (query_id, document_id)
            grades[document_id] = int(grade)
    return judged
