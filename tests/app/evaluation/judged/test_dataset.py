"""Judged sets are read whole or refused: a figure over half of one would mean nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.evaluation.judged.dataset import documents_of, load_judged
from indexer.errors import UsageError

CORPUS = [
    {"_id": "d1", "title": "Apples", "text": "They grow on trees."},
    {"_id": "d2", "title": "", "text": "Bread rises."},
    {"_id": 3, "title": "Empty", "text": ""},
]
QUERIES = [{"_id": "q1", "text": "where do apples grow"}, {"_id": "q2", "text": "unjudged"}]
BEIR = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\t3\t0\n"


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    folder = tmp_path / "fruit"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(lines(CORPUS), "utf-8")
    (folder / "queries.jsonl").write_text(lines(QUERIES), "utf-8")
    (folder / "qrels" / "test.tsv").write_text(BEIR, "utf-8")
    return folder


def test_beir_folder_gives_judged_queries_grades_and_checksums(beir: Path) -> None:
    judged = load_judged(beir)
    assert judged.name == "fruit"
    assert judged.queries == {"q1": "where do apples grow"}
    assert judged.qrels == {"q1": {"d1": 2, "3": 0}}
    assert judged.judgements == 2
    assert judged.problems == ()
    assert [document.whole for document in documents_of(beir / "corpus.jsonl")] == [
        "Apples They grow on trees.",
        "Bread rises.",
        "Empty",
    ]
    assert sorted(judged.checksums) == ["corpus.jsonl", "queries.jsonl", "test.tsv"]
    before = judged.checksums["corpus.jsonl"]
    (beir / "corpus.jsonl").write_text(lines(CORPUS[:2] + [{"_id": "3", "text": "x"}]), "utf-8")
    assert load_judged(beir).checksums["corpus.jsonl"] != before


@pytest.mark.parametrize("text", ["q1 0 d1 2\nq1 0 3 0\n", "q1\tQ0\td1\t2\nq1 0\t3 0\n"])
def test_trec_judgements_say_the_same(beir: Path, text: str) -> None:
    trec = beir / "judged.trec"
    trec.write_text(text, "utf-8")
    assert load_judged(beir, qrels=trec).qrels == load_judged(beir).qrels


def test_folder_of_documents_is_named_by_paths(beir: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "sub").mkdir(parents=True)
    (docs / "sub" / "a.md").write_text("# Apples\n")
    (docs / "rows.jsonl").write_text('{"_id": "r1", "text": "Bread"}\n')
    qrels = beir / "qrels" / "own.tsv"
    qrels.write_text("q1\tsub/a.md\t1\nq1\trows.jsonl#r1\t1\n", "utf-8")
    judged = load_judged(beir, corpus=docs, split="own")
    assert judged.qrels == {"q1": {"sub/a.md": 1, "rows.jsonl#r1": 1}}
    before = judged.checksums["docs"]
    (docs / "sub" / "a.md").write_text("# Pears\n")
    assert load_judged(beir, corpus=docs, split="own").checksums["docs"] != before


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("corpus.jsonl", "", "holds no document"),
        ("corpus.jsonl", lines([*CORPUS, CORPUS[0]]), "document 'd1' is there twice"),
        ("corpus.jsonl", lines(CORPUS[:1]) + "{broken\n", "corpus.jsonl:2: '{broken' is no JSON"),
        ("corpus.jsonl", lines([{"_id": "d9", "text": "x"}]), "2 of the 2 documents it judges"),
        ("corpus.jsonl", lines([{"_id": "d9"}]), "corpus.jsonl:1: has no text"),
        ("queries.jsonl", "", "holds no query"),
        ("queries.jsonl", lines([QUERIES[0], QUERIES[0]]), "query 'q1' is there twice"),
        ("queries.jsonl", lines([QUERIES[1]]), "judges query 'q1' and 0 more"),
        ("queries.jsonl", lines([{"_id": "q1", "text": " "}]), "queries.jsonl:1: has no text"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", "holds no judgement"),
        ("qrels/test.tsv", BEIR + "q1\td1\t1\n", "test.tsv:4: query 'q1', document 'd1' has grade"),
        ("qrels/test.tsv", BEIR + "q1 d1 1\n", "test.tsv:4: 'q1 d1 1' is no judgement"),
        ("qrels/test.tsv", BEIR + "q1\td1\thigh\n", "is no judgement"),
    ],
)
def test_what_cannot_be_believed_is_refused_by_name(
    beir: Path, file: str, content: str, said: str
) -> None:
    (beir / file).write_text(content, "utf-8")
    with pytest.raises(UsageError) as refused:
        load_judged(beir)
    assert said in str(refused.value)


@pytest.mark.parametrize("file", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_missing_file_is_named_with_its_option(beir: Path, file: str) -> None:
    (beir / file).unlink()
    option = "--" + file.partition(".")[0].partition("/")[0]
    with pytest.raises(UsageError, match=f"{file}: not there.*{option}"):
        load_judged(beir)


def test_file_that_is_no_text_is_named(beir: Path) -> None:
    (beir / "queries.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"queries.jsonl: is not UTF-8"):
        load_judged(beir)


def test_query_without_a_relevant_document_is_told_of(beir: Path) -> None:
    (beir / "qrels" / "test.tsv").write_text(BEIR + "q2\td2\t0\n", "utf-8")
    assert load_judged(beir).problems == (
        "1 judged queries, such as 'q2', have no relevant document and count as 0.",
    )


def test_query_that_is_a_document_is_told_from_one_that_only_shares_its_id(beir: Path) -> None:
    """BEIR drops both, and with the second a document that may be relevant."""
    same = [{"_id": "q1", "title": "", "text": "Where do  Apples grow"}]
    other = [{"_id": "q2", "title": "x", "text": "Something else."}]
    (beir / "corpus.jsonl").write_text(lines([*CORPUS, *same, *other]), "utf-8")
    judged = load_judged(beir)
    assert judged.themselves == {"q1"}
    assert judged.problems == (
        "1 queries are documents themselves; each is left out of its own ranking, as BEIR does.",
        "1 documents share their id with a query but say something else: they count. BEIR would "
        "leave each out of that query's ranking.",
    )
