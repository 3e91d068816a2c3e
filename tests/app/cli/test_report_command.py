"""`semsearch report`: files of one evaluation, and several compared."""

import json
from pathlib import Path

import pytest

from app.evaluation.results import Results
from evaluation_results import CHECKSUMS, MODEL, cell, results
from tests_support import run_cli

FP32, INT8 = f"{MODEL} 384 cpu:fp32 exact", f"{MODEL} 384 cpu:int8 exact"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, found: Results) -> str:
    found.write(path)
    return path.name


def before_and_after(folder: Path, **values: object) -> tuple[str, str]:
    """Two runs; in the second int8 lost much, and fp32 nothing."""
    before = results(cell("cpu:fp32"), cell("cpu:int8", p50_ms=5.0, ratio=0.5, noise=1))
    after = results(
        cell("cpu:fp32", p50_ms=20.0),
        cell("cpu:int8", p50_ms=11.0, ratio=0.55, lost=0.05, noise=2, ram_mib=500),
        cell("cpu:bf16"),
        **values,
    )
    return write(folder / "before.json", before), write(folder / "after.json", after)


def test_one_file_gives_page_csv_and_markdown_beside_it(folder: Path) -> None:
    (folder / "run").mkdir()
    write(folder / "run" / "results.json", results())
    ran = run_cli("report", "run/results.json")
    assert ran.code == 0, ran.err
    *paths, recommendation = ran.out.splitlines()
    assert paths == ["run/results.html", "run/results.csv", "run/results.md"]
    assert recommendation.startswith(f"Take {INT8}: ")
    assert recommendation in (folder / "run" / "results.md").read_text().replace("\\", "")
    assert "<svg" in (folder / "run" / "results.html").read_text()


def test_output_folder_is_made_and_json_names_files_and_choice(folder: Path) -> None:
    write(folder / "results.json", results())
    ran = run_cli("report", "results.json", "-o", "new/place", "--json")
    found = json.loads(ran.out)
    assert found["files"] == [f"new/place/results.{end}" for end in ("html", "csv", "md")]
    assert all((folder / path).exists() for path in found["files"])
    assert found["recommendation"]["cell"] == INT8


def test_comparison_finds_the_planted_drop_and_only_it(folder: Path) -> None:
    ran = run_cli("report", *before_and_after(folder), "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    cells = {one["label"]: {run["run"]: run for run in one["runs"]} for one in found["cells"]}
    assert list(cells) == [FP32, INT8]
    same = cells[FP32]["after.json"]["quality"]["hybrid"]["ndcg@10"]
    assert (same["difference"], same["p"]) == (0.0, 1.0)
    lost = cells[INT8]["after.json"]["quality"]["dense"]["recall@10"]
    assert lost["difference"] == pytest.approx(-0.05, abs=0.01)
    assert lost["p"] < 0.05
    assert cells[INT8]["before.json"]["quality"]["dense"]["recall@10"]["p"] is None
    assert cells[INT8]["after.json"]["search_p50_ms"]["value"] == 11.0
    assert cells[INT8]["after.json"]["ratio"]["value"] == 0.55
    assert cells[INT8]["after.json"]["peak_ram_bytes"] == 500 << 20
    assert cells[FP32]["after.json"]["is_reference"]
    assert found["notes"] == [f"In one run only: {MODEL} 384 cpu:bf16 exact (after.json)."]


def test_comparison_as_a_table_names_drop_ratio_and_page(folder: Path) -> None:
    ran = run_cli("report", *before_and_after(folder))
    assert ran.code == 0, ran.err
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert "p50 / own reference's is the reference is the reference" in lines
    assert "p50 / own reference's 0.5 [0.49, 0.51] 0.55 [0.539, 0.561]" in lines
    drops = [line for line in lines if "more than chance explains" in line]
    assert [line.split(" dropped")[0] for line in drops] == [
        f"after.json: {way} ndcg@10 of {INT8}" for way in ("dense", "hybrid")
    ]
    assert lines[-1] == "compare.html"
    page = (folder / "compare.html").read_text()
    assert "dropped by 0.0" in page
    assert "<script" not in page


def test_other_hardware_is_said_to_make_times_incomparable(folder: Path) -> None:
    other = results().machine.model_copy(update={"cpu": "Another CPU"})
    ran = run_cli("report", *before_and_after(folder, machine=other))
    assert "The hardware differs, so absolute times and memory cannot be compared" in ran.out
    assert "after.json: Another CPU, 2 cores" in ran.out


def test_another_day_is_said_to_matter(folder: Path) -> None:
    ran = run_cli("report", *before_and_after(folder, started="2026-12-01T10:00:00+00:00"))
    assert "Measured on different days" in ran.out


def test_other_data_is_refused_with_both_checksums(folder: Path) -> None:
    data = results().data.model_copy(update={"checksums": CHECKSUMS | {"corpus.jsonl": "ee" * 32}})
    ran = run_cli("report", *before_and_after(folder, data=data))
    assert ran.code == 2
    assert "before.json and after.json searched other data" in ran.err
    assert f"corpus.jsonl {'c0' * 32} and {'ee' * 32}" in ran.err
    assert "queries.jsonl" not in ran.err
    assert not (folder / "compare.html").exists()


def test_other_order_of_queries_is_refused(folder: Path) -> None:
    ids = results().data.query_ids[::-1]
    data = results().data.model_copy(update={"query_ids": ids})
    ran = run_cli("report", *before_and_after(folder, data=data))
    assert ran.code == 2
    assert "judged other queries, or in another order (200 and 200)" in ran.err


def test_runs_without_a_common_cell_are_refused_with_what_they_have(folder: Path) -> None:
    one = write(folder / "a.json", results(cell("cpu:fp32")))
    two = write(folder / "b.json", results(cell("cpu:int8")))
    ran = run_cli("report", one, two)
    assert ran.code == 2
    assert f"{FP32} (a.json); {INT8} (b.json)" in ran.err


def test_missing_and_foreign_files_are_usage_errors(folder: Path) -> None:
    ran = run_cli("report", "nothing.json")
    assert ran.code == 2
    assert "nothing.json: No such file" in ran.err
    (folder / "foreign.json").write_text('{"format": 99}')
    ran = run_cli("report", "foreign.json")
    assert ran.code == 2
    assert "foreign.json: no results that this version reads (format" in ran.err
    assert sorted(path.name for path in folder.iterdir()) == ["foreign.json"]
