"""The sample documents and their judged queries keep what data/eval/README.md promises."""

import ast
import email
import email.policy
import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

Queries = dict[str, dict[str, object]]
Qrels = dict[str, dict[str, int]]

# At least one of each.
FORMATS = "csv docx eml epub go html ipynb json jsonl md odt pdf pptx py rst txt xlsx"
BINARY = {".docx", ".pptx", ".xlsx", ".pdf", ".odt", ".epub"}
GB18030 = "zh/beifen.txt"


def text_of(path: Path) -> str:
    encoding = "gb18030" if path.as_posix().endswith(GB18030) else "utf-8"
    return path.read_bytes().decode(encoding)


def members(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in text_of(path).splitlines()]


def test_sample_files_are_small_and_not_empty(files: list[Path]) -> None:
    for path in files:
        limit = 40_000 if path.suffix in BINARY else 65_536
        assert 200 < path.stat().st_size < limit, path


def test_sample_has_every_promised_format(files: list[Path]) -> None:
    assert " ".join(sorted({path.suffix[1:] for path in files})) == FORMATS


def test_sample_languages_have_enough_documents(sample: Path, files: list[Path]) -> None:
    count = Counter(path.relative_to(sample).parts[0] for path in files)
    assert len(files) >= 40
    assert count["zh"] >= 7
    assert count["de"] >= 3
    assert count["es"] + count["ja"] >= 2


def test_sample_chinese_document_in_gb18030_is_not_utf8(sample: Path) -> None:
    data = (sample / GB18030).read_bytes()
    assert "三二一原则" in data.decode("gb18030")
    assert "三二一原则".encode() not in data


def test_sample_documents_have_the_length_of_a_page(files: list[Path]) -> None:
    for path in files:
        if path.suffix in {".md", ".txt", ".rst", ".eml", ".html"}:
            text = text_of(path)
            cjk = len(re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]", text))
            words = len(text.split())
            assert 150 <= words + cjk / 1.5 <= 650, (path, words, cjk)


def test_sample_text_names_no_address_to_fetch(files: list[Path]) -> None:
    for path in files:
        if path.suffix not in BINARY:
            assert not re.search(r"(https?|ftp)://", text_of(path)), path


def test_sample_front_matter_has_title_tags_and_matches_the_first_heading(
    files: list[Path],
) -> None:
    for path in files:
        if path.suffix != ".md":
            continue
        _, front, body = text_of(path).split("---\n", 2)
        metadata = yaml.safe_load(front)
        assert metadata["tags"], path
        heading = re.search(r"^# (.+)$", body, re.MULTILINE)
        assert heading is not None, path
        assert heading[1] == metadata["title"], path


def test_sample_structured_files_parse(sample: Path) -> None:
    for name in ("rrf.py", "memory_budget.py"):
        ast.parse(text_of(sample / "code" / name), filename=name)
    notebook = json.loads(text_of(sample / "guides/significance.ipynb"))
    assert notebook["nbformat"] == 4
    assert len(json.loads(text_of(sample / "indexes/faiss-factory.json"))["recipes"]) == 5
    ids = [record["id"] for record in members(sample / "operations/faq.jsonl")]
    assert len(ids) == len(set(ids)) == 8
    message = email.message_from_bytes(
        (sample / "operations/incident-2026-06-disk.eml").read_bytes(), policy=email.policy.default
    )
    assert not message.defects
    assert message["subject"] == "Post-mortem: disk full on Tuesday, and why nothing was lost"


def test_sample_code_computes_what_the_texts_say(sample: Path) -> None:
    names: dict[str, object] = {"__name__": "memory_budget"}
    exec(text_of(sample / "code/memory_budget.py"), names)  # our own file, read from the checkout
    shape = names["QWEN3_0_6B"]
    assert shape.total_weights == 595_776_512
    assert "595,776,512 weights" in text_of(sample / "guides/qwen3-embedding-rules.md")
    assert "| Qwen3-Embedding-0.6B | 595776512 |" in (
        sample.parents[1] / "scripts/sample_sources/memory.txt"
    ).read_text(encoding="utf-8")


def test_sample_notebook_outputs_are_what_its_code_prints(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = json.loads(text_of(sample / "guides/significance.ipynb"))["cells"]
    names: dict[str, object] = {}
    promised = ""
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)  # our own notebook, read from the checkout
            promised += "".join(line for out in cell["outputs"] for line in out["text"])
    assert capsys.readouterr().out == promised + "\n" * (not promised.endswith("\n"))


def test_queries_are_plain_short_text_with_a_language(queries: Queries) -> None:
    count: Counter[str] = Counter()
    texts = [query["text"] for query in queries.values()]
    assert len(texts) == len(set(texts))
    for query_id, query in queries.items():
        assert set(query) == {"_id", "text", "metadata"}
        language = query["metadata"]["language"]
        assert query_id.startswith(language)
        assert 4 < len(query["text"]) < 120
        count[language] += 1
    assert count["en"] >= 60
    assert count["zh"] >= 15
    assert count["de"] >= 8


def test_queries_are_all_judged_and_each_has_an_answer(queries: Queries, qrels: Qrels) -> None:
    assert set(qrels) == set(queries)
    for query_id, grades in qrels.items():
        assert set(grades.values()) <= {1, 2}, query_id
        assert 2 in grades.values(), query_id


def test_qrels_name_documents_that_exist(sample: Path, qrels: Qrels) -> None:
    for document_id in {key for grades in qrels.values() for key in grades}:
        name, _, member = document_id.partition("#")
        path = sample / name
        assert path.is_file(), document_id
        assert (path.suffix == ".jsonl") == bool(member), document_id
        if member:
            assert member in {record["id"] for record in members(path)}, document_id


def test_qrels_grade_two_is_in_the_language_of_the_query(queries: Queries, qrels: Qrels) -> None:
    for query_id, grades in qrels.items():
        language = queries[query_id]["metadata"]["language"]
        for document_id, grade in grades.items():
            folder = document_id.split("/")[0]
            document_language = folder if folder in {"zh", "de", "es", "ja"} else "en"
            assert grade == 1 or document_language == language, (query_id, document_id)


def test_qrels_judge_every_document(sample: Path, files: list[Path], qrels: Qrels) -> None:
    judged = {key.partition("#")[0] for grades in qrels.values() for key in grades}
    unjudged = {path.relative_to(sample).as_posix() for path in files} - judged
    assert unjudged == set()


def test_queries_are_not_copied_from_the_documents(files: list[Path], queries: Queries) -> None:
    corpus = "\n".join(text_of(path) for path in files if path.suffix not in BINARY).lower()
    copied = [q["text"] for q in queries.values() if str(q["text"]).lower().rstrip("?") in corpus]
    assert copied == []
