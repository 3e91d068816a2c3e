"""What the study of index families decides and draws, without building an index."""

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "index"))

from families import FAMILIES, Rows  # noqa: E402 - after the path
from plot_series import looks, read  # noqa: E402
from plots import draw_growth, draw_recall  # noqa: E402
from study_results import Results, first_reaching, predict  # noqa: E402

from app.evaluation.page.axes import LogScale, RecallScale  # noqa: E402


def point(recall: float, qps: float) -> dict[str, Any]:
    return {"recall": recall, "p50_ms": 1000 / qps, "qps_1": qps, "qps_2": 2 * qps}


def row(n: int, build_s: float, *points: dict[str, Any]) -> dict[str, Any]:
    figures = {"build_s": build_s, "ram_mib": n / 1000, "disk_mib": n / 500}
    return {"family": "flat", "n": n, "dimension": 1024, "points": list(points), **figures}


def test_product_codes_are_as_long_as_the_dimension_allows() -> None:
    family = FAMILIES["ivf-pq4fs-256b"]
    assert family.factory(10_000, 1024) == "IVF256,PQ512x4fs"
    assert family.factory(10_000, 384) == "IVF256,PQ384x4fs"
    assert FAMILIES["prefix256-pq4fs-64b"].factory(10_000, 1024) == "IVF256,PQ128x4fs"
    assert not FAMILIES["prefix512-pq4fs-128b"].suits(384)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_every_family_has_efforts_that_fit_its_recipe(family: Any) -> None:
    efforts = family.efforts(1_000_000, 1024)
    assert efforts == sorted(efforts, key=lambda effort: list(effort.values()))
    wanted = {"lists"} if "IVF" in family.recipe else {"ef"} if "HNSW" in family.recipe else set()
    if family.rows is not Rows.OWN or "Refine" in family.recipe or "RFlat" in family.recipe:
        wanted.add("candidates")
    assert all(effort.keys() == wanted for effort in efforts)


def test_build_time_is_predicted_by_the_power_of_the_last_two_sizes() -> None:
    assert predict([(1_000, 1.0), (10_000, 31.6)], 100_000) == pytest.approx(31.6 * 31.6, rel=0.01)
    assert predict([(1_000, 1.0), (10_000, 1.0)], 100_000) == 10, "never less than linear"
    assert predict([(10_000, 2.0)], 100_000) == pytest.approx(2 * 10**1.25)


def test_results_go_on_where_a_run_ended_and_predict_from_smaller_sizes(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    Results(path).put(row(10_000, 2.0, point(1, 100)))
    again = Results(path)
    again.put(row(10_000, 4.0, point(1, 100)))
    assert [each["build_s"] for each in Results(path).rows] == [4.0]
    assert again.predicted_build_s("flat", 10_000, 1024) is None, "only smaller ones count"
    assert again.predicted_build_s("flat", 100_000, 1024) == pytest.approx(4 * 10**1.25)
    assert again.predicted_build_s("flat", 100_000, 384) is None


def test_fastest_effort_that_reaches_the_recall_is_chosen() -> None:
    points = [point(0.9, 900), point(0.991, 300), point(0.995, 400)]
    assert first_reaching(points, 0.99) == points[2]
    assert first_reaching(points, 0.999) is None


def test_front_leaves_out_efforts_that_another_beats_in_both(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    Results(path).put(row(10_000, 1, point(0.9, 900), point(0.95, 200), point(0.99, 300)))
    (one,) = read([path])
    assert one.front(1) == [(0.9, 900), (0.99, 300)]
    assert one.front(2) == [(0.9, 1800), (0.99, 600)]


def test_recall_scale_gives_each_halving_of_the_misses_the_same_room() -> None:
    scale = RecallScale(0.9)
    assert scale.share(0.9) == 0
    assert scale.share(1) == 1
    assert scale.share(0.95) == pytest.approx(scale.share(0.975) - scale.share(0.95))
    assert LogScale(1, 100).share(10) == 0.5


def test_pictures_hold_engines_of_both_files_and_parse(tmp_path: Path) -> None:
    study, compared = tmp_path / "results.json", tmp_path / "compare.json"
    for n in (10_000, 100_000):
        Results(study).put(row(n, n / 1000, point(0.9, 900), point(0.99, 300)))
    Results(study).put({"family": "sq8", "n": 10_000, "dimension": 1024, "error": "refused"})
    engine = {"recall": 0.995, "p50_ms": 1.4, "ram_mib": 45, "build_s": 30, "disk_mib": 424}
    engines = {"semsearch": engine, "scann": {"error": "not installed"}}
    compared.write_text(json.dumps({"n": 10_000, "dimension": 1024, "rows": engines}))
    everything = read([study, compared])
    look = looks(everything)
    draw_growth(everything, look, 0.99, tmp_path / "growth.svg")
    draw_recall([one for one in everything if one.n == 10_000], look, 1, tmp_path / "recall.svg")
    for name in ("growth", "recall"):
        words = ElementTree.parse(tmp_path / f"{name}.svg").getroot().itertext()
        assert {"flat", "semsearch"} <= set(words)
