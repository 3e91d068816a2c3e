"""Which mode is called best, and how it is compared with the article."""

import pytest

from app.evaluation.article import row_of
from app.evaluation.bench import NotRun
from app.evaluation.measurement import Measurement
from app.evaluation.report import Report, milliseconds, versions
from indexer.modes import Placement
from indexer.version import __version__


def ran(mode: str, one_ms: float, four_ms: float) -> Measurement:
    return Measurement(mode, "engine", 128, (one_ms,) * 3, (four_ms,) * 3, 1.0, 1 << 30, None)


def test_verdict_names_the_fastest_mode_and_every_row_of_the_article() -> None:
    report = Report(
        "Qwen/Qwen3-Embedding-0.6B",
        3,
        [ran("cpu:fp32", 900, 3000), NotRun("gpu:fp16", "no GPU"), ran("cpu:int8", 448, 1700)],
    )
    assert report.verdict() == (
        "Best for one text here: cpu:int8 with 448 ms, 9.3x as slow as the article's T4 GPU in "
        "fp16 (48 ms), 2.1x as slow as the article's layer-wise CPU offload (210 ms), 2.5x as fast "
        "as the article's 14-core CPU (1120 ms)."
    )
    assert [found.mode for found in report.measured] == ["cpu:int8", "cpu:fp32"]
    values = report.to_dict()
    assert values["best"] == "cpu:int8"
    assert values["modes"][0]["one_text_median_ms"] == 448
    assert values["not_run"] == [{"mode": "gpu:fp16", "reason": "no GPU"}]


def test_verdict_on_another_model_says_so() -> None:
    report = Report("sentence-transformers/all-MiniLM-L6-v2", 3, [ran("gpu:fp16", 4, 6)])
    assert report.verdict().endswith(
        "280.0x as fast as the article's 14-core CPU (1120 ms). The article measured "
        "Qwen3-Embedding-0.6B, not this model."
    )


def test_modes_that_did_not_run_are_gathered_by_reason() -> None:
    report = Report("m", 1, [NotRun("a", "no GPU"), NotRun("b", "too big"), NotRun("c", "no GPU")])
    assert report.reasons == {"no GPU": ["a", "c"], "too big": ["b"]}
    assert report.to_dict()["best"] is None


def test_article_has_a_row_for_every_local_placement() -> None:
    times = {place: row and row.one_text_ms for place in Placement for row in [row_of(place)]}
    assert times == {"gpu": 48, "offload": 210, "cpu": 1120, "remote": None}


@pytest.mark.parametrize(
    ("value", "text"), [(1119.6, "1120 ms"), (100, "100 ms"), (21.787, "21.8 ms"), (1.5, "1.5 ms")]
)
def test_milliseconds_have_three_digits(value: float, text: str) -> None:
    assert milliseconds(value) == text


def test_versions_name_what_speed_depends_on() -> None:
    found = versions()
    assert found["semsearch"] == __version__
    assert {"python", "torch", "transformers"} <= set(found)
