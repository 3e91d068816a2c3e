"""`semsearch model optimise`: the copy is built once, again when asked to or damaged."""

import json
from pathlib import Path
from typing import Any

import pytest

from indexer.embedding.onnx import encoder
from tests_support import Cli


@pytest.fixture
def optimise(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run it on the small model; its JSON."""
    monkeypatch.setenv("SEMSEARCH_MODELS_FOLDER", str(tmp_path / "models"))

    def run(*options: str) -> dict[str, Any]:
        ran = cli("model", "optimise", "minilm", "--json", *options)
        assert ran.code == 0, ran.err
        found: dict[str, Any] = json.loads(ran.out)
        return found

    return run


def test_optimise_builds_once_and_says_so(optimise: Any, tmp_path: Path) -> None:
    first, second = optimise(), optimise()
    assert (first["built"], second["built"]) == (True, False)
    folder = Path(first["folder"])
    assert folder.is_relative_to(tmp_path / "models")
    files = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert first["bytes"] == files["model.onnx"] + files["model.weights"]
    assert first["bytes"] < first["weights_bytes"] / 4
    assert second == {**first, "built": False, "seconds": second["seconds"]}


def test_optimise_by_force_or_after_damage_builds_the_same_again(optimise: Any) -> None:
    folder = Path(optimise("--precision", "fp32")["folder"])
    whole = (folder / "model.weights").read_bytes()
    assert optimise("--precision", "fp32", "--force")["built"]
    assert (folder / "model.weights").read_bytes() == whole
    (folder / "model.weights").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert optimise("--precision", "fp32")["built"]
    assert (folder / "model.weights").read_bytes() == whole


def test_optimise_for_a_person_shows_size_and_time(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMSEARCH_MODELS_FOLDER", str(tmp_path / "models"))
    ran = cli("model", "optimise", "minilm")
    assert ran.code == 0, ran.err
    shown = dict(line.split(maxsplit=1) for line in ran.out.splitlines())
    assert list(shown) == ["model", "precision", "folder", "size", "built"]
    assert shown["size"].endswith("(weights: 86.7 MiB)")
    assert shown["built"].startswith("in ")
    assert cli("model", "optimise", "minilm").out.splitlines()[-1].endswith("was there already")


def test_optimise_other_precisions_and_models_are_refused_with_the_reason(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = cli("model", "optimise", "minilm", "--precision", "bf16")
    assert ran.code == 2
    assert "--precision bf16: the CPU's prepared copies are int8 and fp32" in ran.err
    monkeypatch.setattr(encoder, "reason_against", lambda _spec: "its layers are odd")
    ran = cli("model", "optimise", "minilm")
    assert ran.code == 69
    assert "runs without a prepared copy: its layers are odd" in ran.err
