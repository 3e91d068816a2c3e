"""Real corpora through the whole pipeline, without a model (make test-data)."""

import os
import tarfile
from pathlib import Path

import pytest

from indexer.embedding.embedder import Embedder
from indexer.pipeline.report import Report
from indexer.pipeline.run import IndexOptions, index
from indexer.storage.check import check
from indexer.storage.commit import Writer
from indexer.types import Contract, SkipReason

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared corpora, unpacked."""
    data = Path(os.environ.get("SEMSEARCH_TEST_DATA", ROOT.parent / "shared")) / "data"
    folder = tmp_path_factory.mktemp("corpora")
    for name in ("corpora.tar.gz", "tldr.tar.gz"):
        assert (data / name).is_file(), f"{data / name}: not there. Set SEMSEARCH_TEST_DATA."
        with tarfile.open(data / name) as archive:
            archive.extractall(folder, filter="data")
    return folder


def run(docs: Path, collection: Path, contract: Contract, embedder: Embedder) -> Report:
    with Writer.open(collection, contract) as writer:
        return index([docs], writer, embedder, contract, IndexOptions(workers=2))


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "least", "reasons"),
    [
        ("fastapi-docs-mit", 298, set()),
        ("peps-cc0", 206, set()),
        ("office-mixed", 120, {SkipReason.BINARY, SkipReason.EMPTY, SkipReason.ENCRYPTED}),
        ("tldr", 38_470, {SkipReason.BINARY, SkipReason.IGNORED, SkipReason.LINK}),
    ],
)
def test_corpus_is_indexed_and_every_skip_has_a_reason(
    name: str,
    least: int,
    reasons: set[SkipReason],
    corpora: Path,
    contract: Contract,
    hash_embedder: Embedder,
    tmp_path: Path,
) -> None:
    report = run(corpora / name, tmp_path / "c", contract, hash_embedder)
    assert report.added >= least
    assert {item.reason for item in report.skipped} <= reasons
    files = sum(
        1 for path in (corpora / name).rglob("*") if path.is_file() and not path.is_symlink()
    )
    skipped_files = [s for s in report.skipped if not s.is_folder and s.reason != SkipReason.LINK]
    assert report.added + len(skipped_files) == files
    again = run(corpora / name, tmp_path / "c", contract, hash_embedder)
    assert (again.unchanged, again.embedded, again.removed) == (report.added, 0, 0)
    assert check(tmp_path / "c") == []
