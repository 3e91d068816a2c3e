"""Our figures beside those of sentence-transformers and ir-measures on the same documents."""

import json
import os
import tarfile
from pathlib import Path

import ir_measures
import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from app.evaluation.choose import choose_lanes
from app.evaluation.judged.dataset import JudgedSet, documents_of, load_judged
from app.evaluation.quality.metrics import DEPTH, MEASURES
from app.evaluation.run import Request, evaluate
from app.search.models import Models
from app.search.query import Mode as Way
from app.settings import Settings
from indexer.embedding.models import resolve
from indexer.types import Scan

ROOT = Path(__file__).parents[2]


def ours(judged: JudgedSet, output: Path) -> dict[str, float]:
    settings = Settings.load()
    chosen = choose_lanes(settings, Models(settings), ["minilm"], [], "cpu:fp32")
    request = Request((Scan.EXACT,), (Way.DENSE,), whole_documents=True, rounds=0)
    [cell] = evaluate(settings, judged, chosen, request, output, lambda *_: None).cells
    return {name: measure.mean.value for name, measure in cell.quality["dense"].items()}


def theirs(judged: JudgedSet) -> dict[str, float]:
    """As a user would write it from the documentation of both."""
    folder = resolve("minilm").folder
    assert folder is not None
    model = SentenceTransformer(str(folder), device="cpu")
    assert judged.corpus is not None
    documents = list(documents_of(judged.corpus))
    vectors = model.encode(
        [document.whole for document in documents], normalize_embeddings=True, batch_size=32
    )
    asked = model.encode(list(judged.queries.values()), normalize_embeddings=True, batch_size=32)
    scores = asked @ vectors.T
    run = [
        ir_measures.ScoredDoc(query, documents[i].id, float(scores[number, i]))
        for number, query in enumerate(judged.queries)
        for i in np.argsort(-scores[number])[:DEPTH]
    ]
    qrels = [
        ir_measures.Qrel(query, document, grade)
        for query, of in judged.qrels.items()
        for document, grade in of.items()
    ]
    measures = {name: ir_measures.parse_measure(text) for name, text in MEASURES.items()}
    found = ir_measures.calc_aggregate(list(measures.values()), qrels, run)
    return {name: float(found[measure]) for name, measure in measures.items()}


def test_sample_gives_the_figures_of_the_references(home: Path, tmp_path: Path) -> None:
    """The Markdown of the sample as a BEIR corpus, all its questions."""
    folder = tmp_path / "beir"
    folder.mkdir()
    sample = ROOT / "data" / "sample"
    names = [path.relative_to(sample).as_posix() for path in sorted(sample.rglob("*.md"))]
    rows = [{"_id": name, "text": (sample / name).read_text("utf-8")} for name in names]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = (ROOT / "data/eval/qrels/test.tsv").read_text("utf-8").splitlines()
    kept = [line for line in lines if line.split("\t")[1] in names]
    (folder / "qrels.tsv").write_text("\n".join(kept))
    queries = ROOT / "data/eval/queries.jsonl"
    judged = load_judged(folder, queries=queries, qrels=folder / "qrels.tsv")
    assert len(judged.queries) > 100
    assert ours(judged, tmp_path / "out") == pytest.approx(theirs(judged), abs=1e-4)


@pytest.fixture(scope="module")
def beir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared judged sets, unpacked."""
    data = Path(os.environ.get("SEMSEARCH_TEST_DATA", ROOT.parent / "shared")) / "data"
    folder = tmp_path_factory.mktemp("judged")
    with tarfile.open(data / "beir.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return next(path for path in (folder / "beir", folder) if (path / "cranfield").is_dir())


@pytest.mark.data
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["cranfield", "xquad-en", "xquad-zh"])
def test_judged_set_gives_the_figures_of_the_references(
    beir: Path, home: Path, tmp_path: Path, name: str
) -> None:
    judged = load_judged(beir / name)
    found, expected = ours(judged, tmp_path / "out"), theirs(judged)
    print(name, found, expected)
    assert found == pytest.approx(expected, abs=1e-4)
