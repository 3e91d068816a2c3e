"""`semsearch eval` on a small judged set: what is measured, what is kept, when it fails."""

import json
from pathlib import Path

import pytest

from app.evaluation.results import Results
from make_tiny_qwen3 import make_tiny_qwen3
from tests_support import DOCS, Cli, write_docs

QUERIES = {
    "q1": "where do apples grow",
    "q2": "why does bread rise",
    "q3": "when does the clock strike",
    "q4": "how hot is the water for green tea",
}
QRELS = {
    "q1": "apple.md",
    "q2": "bread.md",
    "q3": "sub/clock.txt",
    "q4": "rows.jsonl#r1",
}


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "kitchen"
    folder.mkdir()
    write_docs(tmp_path / "docs")
    rows = [json.dumps({"_id": key, "text": text}) for key, text in QUERIES.items()]
    (folder / "queries.jsonl").write_text("\n".join(rows), "utf-8")
    lines = [f"{query} 0 {document} 1" for query, document in QRELS.items()]
    (folder / "qrels.trec").write_text("\n".join(lines), "utf-8")
    return folder


def arguments(judged: Path, *more: str) -> list[str]:
    return ["eval", str(judged), "--corpus", "docs", "--model", "minilm", *more]


def test_eval_measures_modes_in_rounds_and_writes_everything(cli: Cli, judged: Path) -> None:
    ran = cli(
        *arguments(judged, "--modes", "cpu:fp32,remote", "--index", "exact"),
        *("--rounds", "2", "--seconds", "0.05", "--retrieval", "hybrid,dense"),
    )
    assert ran.code == 0, ran.err
    results = Results.read(Path("eval-kitchen/results.json"))
    own, remote = results.cells
    assert (own.mode, remote.mode) == ("cpu:fp32", "remote:fp32")
    assert results.reference == own.label
    assert remote.engine == "semsearch serve on this machine"
    assert results.data.query_ids == tuple(QUERIES)
    assert results.data.documents == len(DOCS) + 1
    for cell in results.cells:
        assert cell.quality["hybrid"]["recall@10"].mean.value == 1.0
        assert cell.quality["dense"]["mrr@10"].mean.value == 1.0
        assert cell.speed is not None
        assert set(cell.speed.embed_ms) == {1, 4}
        assert set(cell.speed.search_ms) == {1, 8, 32}
        assert cell.speed.cold_ms.n == 2
        assert cell.speed.search_ms[1].n >= 6
        assert cell.speed.search_ms[32].n >= 64
        assert 0 < cell.speed.load_s.value < 300
    # The server's memory counts as well as that of the process that asks it.
    assert remote.peak_ram_bytes > 1.1 * own.peak_ram_bytes
    assert remote.agreement is not None
    assert remote.agreement.cosine_mean > 0.9999
    assert own.speed is not None
    assert own.speed.search_ms[1].ratio is None
    assert remote.speed is not None
    assert remote.speed.search_ms[1].ratio is not None
    assert results.drift is not None
    assert len(results.drift.medians_ms) == 2
    runs = sorted(path.name for path in Path("eval-kitchen/runs").iterdir())
    assert runs[0] == "minilm-full-cpu-fp32-chunked-exact-dense.trec"
    first = Path("eval-kitchen/runs", runs[0]).read_text().splitlines()[0].split()
    assert first[:4] == ["q1", "Q0", "apple.md", "1"]
    assert "cpu:fp32" in Path("eval-kitchen/results.html").read_text("utf-8")
    assert "Take sentence-transformers/all-MiniLM-L6-v2 384" in ran.out


def test_eval_embeds_once_and_fails_at_a_gate_with_a_table(cli: Cli, judged: Path) -> None:
    only = ("--rounds", "0", "--index", "exact", "--modes", "cpu:fp32")
    first = cli(*arguments(judged, *only, "--fail-under", "ndcg@10=0.9,recall@10=1"))
    assert first.code == 0, first.err
    one = Results.read(Path("eval-kitchen/results.json"))
    write_docs(Path("docs"))  # touched, not changed
    again = cli(
        *arguments(judged, *only, "-o", "again", "--max", "ram=1MiB"),
        *("--baseline", "eval-kitchen/results.json"),
    )
    assert again.code == 1
    two = Results.read(Path("again/results.json"))
    assert two.cells[0].indexing == one.cells[0].indexing
    assert two.cells[0].quality == one.cells[0].quality
    assert "Gates not passed:" in again.err
    [row] = [line for line in again.err.splitlines() if "at most 1 MiB" in line]
    assert "cpu:fp32 exact" in row
    assert "ram" in row
    told = cli(*arguments(judged, *only, "-o", "again", "--fail-under", "p@10=0.9", "--json"))
    assert told.code == 1
    [failed] = json.loads(told.out)["failed"]
    assert (failed["what"], failed["wanted"]) == ("hybrid p@10", "at least 0.9")


def test_eval_names_what_cannot_run_and_goes_on(cli: Cli, judged: Path) -> None:
    ran = cli(
        *arguments(judged, "--rounds", "0", "--index", "exact", "--modes", "cpu:fp32,cpu:int4"),
        "--json",
    )
    assert ran.code == 0, ran.err
    assert json.loads(ran.out) == {"results": "eval-kitchen", "failed": []}
    results = Results.read(Path("eval-kitchen/results.json"))
    [missing] = results.not_run
    assert missing.label == "minilm cpu:int4"
    assert "cpu:int4" in missing.reason


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--modes", "cpu:int3"), "'cpu:int3' is no mode"),
        (("--index", "hnsw"), "--index hnsw: there are exact, codes."),
        (("--retrieval", "magic"), "--retrieval magic: there are hybrid, dense, lexical."),
        (("--dim", "1k"), "--dim 1k: give whole numbers"),
        (("--dim", "128"), "128"),
        (("--rounds", "0", "--max", "p95=1s"), "--rounds of at least 1"),
        (("--fail-under", "ndcg@5=1"), "no such measure"),
        (("--baseline", "none.json"), "none.json: No such file"),
        (("--corpus", "nowhere"), "nowhere: not there"),
    ],
)
def test_eval_refuses_before_it_measures(
    cli: Cli, judged: Path, more: tuple[str, ...], said: str
) -> None:
    ran = cli(*arguments(judged, *more))
    assert ran.code == 2
    assert said in ran.err
    assert not Path("eval-kitchen").exists()


def test_own_collection_is_measured_by_what_was_judged_of_it(
    cli: Cli, judged: Path, home: Path
) -> None:
    assert cli("index", "docs", "--model", "minilm").code == 0
    refused = cli("eval", "--own")
    assert refused.code == 2
    assert "Run `semsearch judge` first" in refused.err
    folder = home / "collections" / "default" / "judgements"
    folder.mkdir()
    (folder / "queries.jsonl").write_text((judged / "queries.jsonl").read_text("utf-8"), "utf-8")
    names = [f"{query} 0 docs/{document} 1" for query, document in QRELS.items()]
    (folder / "qrels.trec").write_text("\n".join([*names, "q1 0 docs/gone.md 1"]) + "\n")
    before = cli("status", "--json").out
    ran = cli("eval", "--own", "--rounds", "1", "--seconds", "0.05", "--modes", "cpu:fp32,cpu:int8")
    assert ran.code == 0, ran.err
    results = Results.read(Path("eval-default/results.json"))
    assert [(cell.mode, str(cell.index)) for cell in results.cells] == [
        ("cpu:fp32", "exact"),
        ("cpu:int8", "exact"),
    ]
    for cell in results.cells:
        assert cell.indexing is None
        assert cell.quality["hybrid"]["recall@10"].mean.value == 1.0
        assert cell.speed is not None
    assert "1 judgement names a document that is no longer there." in results.problems
    assert any("4 queries with a relevant document" in problem for problem in results.problems)
    assert not results.data.known_items
    assert cli("status", "--json").out == before


def test_known_items_are_labelled_as_the_weaker_substitute(
    cli: Cli, judged: Path, tmp_path: Path
) -> None:
    for number, name in enumerate(
        ("How apples grow", "Why bread does rise", "Where clocks strike")
    ):
        (tmp_path / "docs" / f"{number}.md").write_text(f"# {name}\n\nSome text here.\n")
    assert cli("index", "docs", "--model", "minilm").code == 0
    ran = cli(
        *("eval", "--own", "--known-items", "3", "--rounds", "0", "--retrieval", "lexical"),
        *("--modes", "cpu:fp32"),
    )
    assert ran.code == 0, ran.err
    results = Results.read(Path("eval-default/results.json"))
    assert results.data.known_items
    assert len(results.data.query_ids) == 3
    assert results.cells[0].quality["lexical"]["mrr@10"].mean.value == 1.0
    assert "easier than real questions" in ran.out


def test_eval_wants_either_a_set_or_a_collection(cli: Cli, judged: Path) -> None:
    for given in (("eval",), arguments(judged, "--own")):
        ran = cli(*given)
        assert ran.code == 2
        assert "Name a judged set, or --own" in ran.err


def test_several_models_and_dimensions_are_measured_and_compared_only_with_their_own(
    cli: Cli, judged: Path, tmp_path: Path
) -> None:
    """Vectors of another model, or another dimension, have no cosine with these."""
    tiny = make_tiny_qwen3(tmp_path / "tiny")
    ran = cli(
        *("eval", str(judged), "--corpus", "docs", "--model", f"{tiny}", "--dim", "64,32"),
        *("--modes", "cpu:fp32", "--rounds", "0", "--index", "exact"),
    )
    assert ran.code == 0, ran.err
    cells = Results.read(Path("eval-kitchen/results.json")).cells
    assert [cell.dimension for cell in cells] == [64, 32]
    assert [cell.agreement for cell in cells] == [None, None]
    assert cells[0].quality["dense"]["ndcg@10"].p is None
    assert cells[1].quality["dense"]["ndcg@10"].p is not None
    assert "64 dimensions" in ran.out
    assert "32 dimensions" in ran.out


def test_what_a_resumed_run_took_is_marked_as_a_part(cli: Cli, judged: Path, home: Path) -> None:
    """The vectors of an interrupted run are there: seconds and tokens tell only of the rest."""
    only = ("--rounds", "0", "--index", "exact", "--modes", "cpu:fp32")
    assert cli(*arguments(judged, *only)).code == 0
    first = Results.read(Path("eval-kitchen/results.json")).cells[0].indexing
    assert first is not None
    assert first.is_whole
    [record] = (home / "evaluations").rglob("indexed.json")
    record.unlink()
    assert cli(*arguments(judged, *only)).code == 0
    second = Results.read(Path("eval-kitchen/results.json")).cells[0].indexing
    assert second is not None
    assert (second.is_whole, second.tokens) == (False, 0)
    assert "a part of it" in Path("eval-kitchen/results.md").read_text("utf-8")
