"""Prepared graphs on disk: built once, checked before use, built anew when damaged."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.onnx import cache
from indexer.embedding.onnx.files import GRAPH_NAME, WEIGHTS_NAME
from indexer.embedding.onnx.saturation import FULL_LEVELS, SAFE_LEVELS
from indexer.embedding.runtimes.onnx_cpu import OnnxModel
from indexer.errors import ModelError
from indexer.modes import Precision
from indexer.types import Kind

TEXT = "Where do the layers of a large model go?"


def test_second_preparation_finds_the_first(tiny: LocalEmbedder, tmp_path: Path) -> None:
    written: list[int] = []
    first = cache.prepare(tiny.spec, Precision.FP32, tmp_path, written.append)
    stamp = (first / WEIGHTS_NAME).stat()
    assert written[-1] == stamp.st_size
    again = cache.prepare(tiny.spec, Precision.FP32, tmp_path, lambda _: pytest.fail("built anew"))
    assert again == first
    assert (first / WEIGHTS_NAME).stat().st_ino == stamp.st_ino
    assert cache.size_bytes(first) == stamp.st_size + (first / GRAPH_NAME).stat().st_size


def test_int8_layers_take_a_quarter_of_fp32(minilm: LocalEmbedder, graphs: Path) -> None:
    sizes = [
        (cache.prepare(minilm.spec, precision, graphs) / WEIGHTS_NAME).stat().st_size
        for precision in (Precision.INT8, Precision.FP32)
    ]
    assert 0.25 <= sizes[0] / sizes[1] < 0.27


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.INT8])
@pytest.mark.parametrize(
    "damage", ["flipped bit", "cut weights", "cut graph", "lost weights", "bad manifest", "lies"]
)
def test_damaged_graph_is_built_anew(
    tiny: LocalEmbedder, tmp_path: Path, damage: str, precision: Precision
) -> None:
    folder = cache.prepare(tiny.spec, precision, tmp_path)
    expected = _embed(tiny, precision, tmp_path)
    weights = (folder / WEIGHTS_NAME).read_bytes()
    match damage:
        case "flipped bit":
            # Same size and same times to the clock's resolution: only the content tells.
            flipped = bytearray(weights)
            flipped[len(flipped) // 2] ^= 64
            (folder / WEIGHTS_NAME).write_bytes(flipped)
        case "cut weights":
            (folder / WEIGHTS_NAME).write_bytes(weights[:-4096])
        case "cut graph":
            (folder / GRAPH_NAME).write_bytes((folder / GRAPH_NAME).read_bytes()[:100])
        case "lost weights":
            (folder / WEIGHTS_NAME).unlink()
        case "bad manifest":
            (folder / "manifest.json").write_text("{", encoding="utf-8")
        case _:
            (folder / "manifest.json").write_text(json.dumps({GRAPH_NAME: 3}), encoding="utf-8")
    assert not cache.is_intact(folder, tmp_path)
    np.testing.assert_array_equal(_embed(tiny, precision, tmp_path), expected)
    assert (folder / WEIGHTS_NAME).read_bytes() == weights
    assert [p.name for p in folder.parent.iterdir() if p.is_dir()] == [
        folder.name
    ]  # no drafts left


def _embed(reference: LocalEmbedder, precision: Precision, folder: Path) -> np.ndarray:
    with LocalEmbedder(
        reference.spec, reference.tokenizer, OnnxModel(reference.spec, precision, folder, 1)
    ) as embedder:
        return embedder.embed([TEXT], Kind.DOCUMENT)


def test_folder_depends_on_weights_precision_and_pooling(
    tiny: LocalEmbedder, tmp_path: Path
) -> None:
    spec = tiny.spec
    folders = {
        cache.folder_of(spec, Precision.FP32, tmp_path),
        cache.folder_of(spec, Precision.INT8, tmp_path),
        cache.folder_of(replace(spec, weights_sha256="0" * 64), Precision.FP32, tmp_path),
    }
    assert len(folders) == 3
    evil = replace(spec, model="../../etc/x\0y")
    assert cache.folder_of(evil, Precision.FP32, tmp_path).parent == tmp_path / "graphs"


def test_int8_graph_of_a_saturating_cpu_is_another(
    tiny: LocalEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = []
    for levels in (FULL_LEVELS, SAFE_LEVELS):
        monkeypatch.setattr(cache, "activation_levels", lambda _, levels=levels: levels)
        folders.append(cache.folder_of(tiny.spec, Precision.INT8, tmp_path))
    assert folders[0] != folders[1]


def test_folder_that_cannot_be_written_is_named(tiny: LocalEmbedder, tmp_path: Path) -> None:
    (tmp_path / "graphs").write_text("in the way", encoding="utf-8")
    with pytest.raises(ModelError, match=r"graphs.*fp32 graph of tiny-qwen3 cannot be written"):
        cache.prepare(tiny.spec, Precision.FP32, tmp_path)


def test_other_process_that_was_first_wins(
    tiny: LocalEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = cache._seal

    def seal_late(folder: Path, *rest: object) -> None:
        seal(folder, *rest)
        monkeypatch.setattr(cache, "_seal", seal)
        cache.prepare(tiny.spec, Precision.FP32, tmp_path)

    monkeypatch.setattr(cache, "_seal", seal_late)
    folder = cache.prepare(tiny.spec, Precision.FP32, tmp_path)
    assert cache.is_intact(folder, tmp_path)
    assert [p.name for p in folder.parent.iterdir() if p.is_dir()] == [folder.name]
