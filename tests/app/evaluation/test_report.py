"""All figures of a run, and how the best stands beside the article."""

import json

from app.evaluation.article import row_of
from app.evaluation.entrant import NotRun
from app.evaluation.report import Report, versions
from app.evaluation.rounds import Budget
from bench_rows import ran
from indexer.embedding.peers.peer import Peer
from indexer.modes import Placement
from indexer.version import __version__

ROWS = [
    ran("cpu:fp32", 900, 3000),
    NotRun("gpu:fp16", "no GPU"),
    ran("cpu:fp32", 400, 1000, peer=Peer.TRANSFORMERS),
    ran("cpu:int8", 450, 1500),
]


def test_report_puts_our_modes_first_and_compares_the_best_with_every_row_of_the_article() -> None:
    report = Report("Qwen/Qwen3-Embedding-0.6B", Budget(), ROWS)
    assert [found.label for found in report.measured] == [
        "cpu:int8",
        "cpu:fp32",
        "transformers cpu:fp32",
    ]
    assert report.beside_the_article() == (
        "Beside the article, one text in cpu:int8 (450 ms) is 9.4x as slow as its T4 GPU in fp16 "
        "(48 ms), 2.1x as slow as its layer-wise CPU offload (210 ms), 2.5x as fast as its 14-core "
        "CPU (1120 ms)."
    )
    assert report.judgements["transformers cpu:fp32"].reason == (
        "1.1x faster than cpu:int8 for 1 text, 1.5x faster than it for 4"
    )


def test_report_gives_programs_every_run_and_the_ratio_to_the_best() -> None:
    values = json.loads(json.dumps(Report("m", Budget(12, 30), ROWS).to_dict()))
    assert values["recommended"] == "cpu:int8"
    assert values["cell"] == {
        "runs": 12,
        "seconds": 30,
        "least_runs": 10,
        "rounds": 5,
        "warmup": 2,
    }
    best, other, peer = values["modes"]
    assert (best["mode"], best["recommended"], best["peer"]) == ("cpu:int8", True, None)
    assert (peer["label"], peer["peer"]) == ("transformers cpu:fp32", "transformers")
    assert other["one_text"]["runs_ms"] == [[900] * 3] * 2
    assert other["one_text"]["ratio"] == {"value": 2, "low": 2, "high": 2}
    assert (other["one_text"]["n"], other["four_texts"]["p99"]["value"]) == (6, 3000)
    assert (other["load_s"], other["loads_s"], other["first_load_s"]) == (1.5, [1, 3, 1.5], 9)
    assert peer["agreement"] == {"cosine": 1, "yardstick": "cpu:fp32"}
    assert other["agreement"] is None
    assert values["not_run"] == [{"label": "gpu:fp16", "reason": "no GPU"}]
    assert values["article"]["rows"][2]["one_text_ms"] == 1120


def test_report_on_another_model_says_so() -> None:
    report = Report("sentence-transformers/all-MiniLM-L6-v2", Budget(), [ran("gpu:fp16", 4, 6)])
    assert report.beside_the_article().endswith(
        "280.0x as fast as its 14-core CPU (1120 ms). The article measured Qwen3-Embedding-0.6B, "
        "not this model."
    )


def test_rows_that_did_not_run_are_gathered_by_reason() -> None:
    missing = [NotRun("a", "no GPU"), NotRun("b", "too big"), NotRun("c", "no GPU")]
    report = Report("m", Budget(), missing)
    assert report.reasons == {"no GPU": ["a", "c"], "too big": ["b"]}
    assert report.to_dict()["recommended"] is None
    assert report.advice is None


def test_article_has_a_row_for_every_local_placement() -> None:
    times = {place: row and row.one_text_ms for place in Placement for row in [row_of(place)]}
    assert times == {"gpu": 48, "offload": 210, "cpu": 1120, "remote": None}


def test_versions_name_what_speed_depends_on() -> None:
    found = versions()
    assert found["semsearch"] == __version__
    assert {"python", "torch", "transformers"} <= set(found)
