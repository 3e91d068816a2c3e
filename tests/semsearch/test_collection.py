"""`semsearch.Collection`: index and search from Python, as README shows it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from semsearch import Collection, errors
from tests_support import run_cli, write_docs


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_docs(tmp_path / "docs")


def test_collection_indexes_and_searches(home: Path, docs: Path) -> None:
    with Collection("notes", model="minilm") as notes:
        report = notes.index(docs)
        assert (report["added"], report["documents"], report["skipped"]) == (5, 6, [])
        hit = notes.search("why does dough get bigger?", k=1)[0]
        assert (hit.path, hit.collection) == (str(docs / "bread.md"), "notes")
        assert (docs / "bread.md").read_text()[hit.start : hit.end] == hit.text
        (docs / "bread.md").write_text("# Bread\n\nA loaf is baked for forty minutes.\n")
        (docs / "apple.md").unlink()
        again = notes.index()
        assert (again["changed"], again["removed"], again["unchanged"]) == (1, 1, 3)
        (found,) = notes.search("forty", mode="lexical")
        assert found.text.strip().endswith("A loaf is baked for forty minutes.")
    assert (home / "collections" / "notes").is_dir()
    # The command line finds the same collection, and its model, without being told.
    ran = run_cli("search", "loaf in the oven", "-c", "notes", "-k", "1")
    assert (ran.code, "bread.md:1" in ran.out) == (0, True)


def test_collection_include_and_exclude(home: Path, docs: Path) -> None:
    with Collection(model="minilm") as collection:
        assert collection.name == "default"
        report = collection.index(docs, include=["*.md"], exclude=["sub"])
        assert report["added"] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "../evil"}, "collection = '../evil'"),
        ({"name": "x", "colour": "red"}, "there is no setting 'colour'"),
        ({"name": "x", "placement": "moon"}, "placement = 'moon'"),
    ],
)
def test_collection_bad_setting_is_a_usage_error(
    home: Path, options: dict[str, str], words: str
) -> None:
    with pytest.raises(errors.UsageError, match=words):
        Collection(**options)


def test_collection_that_is_not_there_is_not_found(home: Path) -> None:
    with Collection("nope") as collection, pytest.raises(errors.NotFoundError, match="'nope'"):
        collection.search("x")


def test_collection_bad_mode_is_a_usage_error(home: Path, docs: Path) -> None:
    with Collection(model="minilm") as collection:
        with pytest.raises(errors.UsageError, match="'psychic': there are hybrid, dense, lexical"):
            collection.search("x", mode="psychic")
        with pytest.raises(errors.UsageError, match="Say what to index"):
            collection.index()


def test_collection_without_its_model_answers_by_words_and_says_why(
    home: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collection(model="minilm") as collection:
        collection.index(docs)
        assert collection.search("yeast").degraded_reason is None

    def refuse(*_arguments: object) -> None:
        raise errors.ModelError("the hub is out of reach")

    monkeypatch.setattr("app.search.models.open_embedder", refuse)
    with Collection() as collection:
        hits = collection.search("yeast")
        assert [Path(hit.path).name for hit in hits] == ["bread.md"]
        assert hits.degraded_reason == "the hub is out of reach"
        assert (hits[0].dense_score, hits[0].lexical_score) == (None, hits[0].score)
        with pytest.raises(errors.ModelError, match="out of reach"):
            collection.search("yeast", mode="dense")


def test_collection_missing_folder_changes_nothing(home: Path, tmp_path: Path) -> None:
    with (
        Collection(model="minilm") as collection,
        pytest.raises(errors.ReadError, match="nowhere"),
    ):
        collection.index(tmp_path / "nowhere")
    assert not (home / "collections").exists()


def test_collection_in_an_unguarded_script_runs_once(home: Path, docs: Path) -> None:
    """Worker processes would import the calling script, and run it, again."""
    for number in range(450):
        (docs / f"n{number}.txt").write_text(f"note {number}\n")
    script = docs.parent / "script.py"
    script.write_text(
        "from semsearch import Collection\n"
        "print('started')\n"
        f"with Collection(model='minilm') as notes:\n"
        f"    print(notes.index({str(docs)!r})['added'])\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=dict(os.environ)
    )
    assert (done.returncode, done.stdout) == (0, "started\n455\n"), done.stderr
