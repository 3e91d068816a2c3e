"""The gates see modes that are wrong: pooling, end token, prompt, noise, a stale index.

The self-test refuses most of them first; here they break after it, as they might in a new version.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.evaluation import apart
from app.evaluation.choose import choose_lanes
from app.evaluation.gates import Gates, parse_least
from app.evaluation.judged.dataset import JudgedSet, load_judged
from app.evaluation.results import Results
from app.evaluation.run import Request, evaluate
from app.search.models import Models
from app.settings import Settings
from indexer.types import Scan
from tests_support import clean_environment

ROOT = Path(__file__).resolve().parents[3]
BOOT = (
    "import sys; sys.path[:0] = [sys.argv.pop(1), {tests!r}]; import broken_modes; "
    "broken_modes.main({how!r})"
)
GATES = "ndcg@10=0.5,ann_recall@10=0.97,cosine=0.99,query_cosine=0.993"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, cache_home: Path) -> Iterator[Path]:
    """One home for all: the modes' self-tests run once."""
    folder = tmp_path_factory.mktemp("broken")
    with clean_environment(folder / "home"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache_home))
        yield folder


@pytest.fixture(scope="module")
def judged(place: Path) -> JudgedSet:
    """The guides of the sample, and the questions that they answer."""
    qrels = (ROOT / "data/eval/qrels/test.tsv").read_text("utf-8").splitlines()
    chosen = place / "guides.tsv"
    lines = [line.replace("guides/", "") for line in qrels if "\tguides/" in line]
    chosen.write_text("\n".join(lines) + "\n", "utf-8")
    return load_judged(ROOT / "data/eval", ROOT / "data/sample/guides", qrels=chosen)


def evaluated(judged: JudgedSet, how: str, *kinds: Scan) -> Results:
    """Under a name of its own, so that nothing another test embedded is reused."""
    settings = Settings.load()
    chosen = choose_lanes(settings, Models(settings), ["minilm"], [], "cpu:fp32,cpu:int8")
    request = Request(kinds, rounds=0)
    named, output = replace(judged, name=how), settings.home / how
    return evaluate(settings, named, chosen, request, output, lambda *_: None)


def test_sound_modes_pass_the_gates(judged: JudgedSet, place: Path) -> None:
    results = evaluated(judged, "sound", Scan.EXACT, Scan.CODES)
    assert [cell.label.split()[-2:] for cell in results.cells] == [
        ["cpu:fp32", "exact"],
        ["cpu:fp32", "codes"],
        ["cpu:int8", "exact"],
        ["cpu:int8", "codes"],
    ]
    assert results.reference == results.cells[0].label
    assert Gates(parse_least(GATES), {}).check(results, "dense") == []
    assert Results.read(place / "home" / "sound" / "results.json") == results


@pytest.mark.parametrize(
    ("how", "seen_in"),
    [
        ("pooling", {"cosine", "query_cosine"}),
        ("no end token", {"query_cosine"}),
        ("prompt", {"query_cosine"}),
        ("garbage", {"cosine", "query_cosine", "dense ndcg@10"}),
        ("stale index", {"ann_recall@10"}),
    ],
)
def test_broken_mode_is_caught_by_the_gate(
    judged: JudgedSet, monkeypatch: pytest.MonkeyPatch, how: str, seen_in: set[str]
) -> None:
    monkeypatch.setattr(apart, "BOOT", BOOT.format(tests=str(ROOT / "tests"), how=how))
    kind = Scan.CODES if how == "stale index" else Scan.EXACT
    results = evaluated(judged, how, kind)
    failed = Gates(parse_least(GATES), {}).check(results, "dense")
    assert seen_in <= {item.what for item in failed}
    assert how == "stale index" or all("cpu:int8" in item.cell for item in failed)
