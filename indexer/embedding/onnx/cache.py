"""Graphs on disk: built once per weights, precision and kind of CPU, checked before they are used.

    <cache folder>/graphs/<model>-<precision>-<key>/
        model.onnx  model.weights  manifest.json (sizes and sha256 of the other two)

A folder appears under its name only when complete; a damaged one is built anew.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from indexer.embedding.file_hashes import sha256_of
from indexer.embedding.onnx.encoder import Encoder, encoder_of
from indexer.embedding.onnx.files import GRAPH_NAME, WEIGHTS_NAME
from indexer.embedding.onnx.saturation import activation_levels
from indexer.embedding.spec import ModelSpec
from indexer.errors import ModelError
from indexer.modes import Precision

# Raise it with every change of what is built: older folders are then not found any more.
GRAPH_VERSION = 3
_MANIFEST = "manifest.json"
_FILES = (GRAPH_NAME, WEIGHTS_NAME)

OnBytes = Callable[[int], None]  # bytes of weights written so far


def prepare(
    spec: ModelSpec,
    precision: Precision,
    cache_folder: Path,
    on_progress: OnBytes | None = None,
    encoder: Encoder | None = None,
) -> Path:
    """The folder with the graph of a model, built if it is not there or not intact.

    Args:
        spec: a model that `encoder.reason_against` has nothing against.
        precision: fp32 or int8.
        cache_folder: where prepared graphs and remembered hashes lie.
        on_progress: called while the weights are written.
        encoder: the spec's, if the caller has it.

    Raises:
        ModelError: the checkpoint is damaged, or the folder cannot be written.
    """
    target = folder_of(spec, precision, cache_folder)
    if is_intact(target, cache_folder):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=target.parent))
        try:
            levels = _levels(precision, cache_folder)
            _build(encoder or encoder_of(spec), precision, levels, draft, on_progress)
            _seal(draft, spec, precision)
            _put_in_place(draft, target, cache_folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise ModelError(
            f"{target}: the {precision} graph of {spec.model} cannot be written "
            f"({error.strerror or error}). Free space there, or choose another models folder."
        ) from error
    return target


def folder_of(spec: ModelSpec, precision: Precision, cache_folder: Path) -> Path:
    """Where the graph of these weights lies, whether it is there or not."""
    levels = _levels(precision, cache_folder)
    config = (spec.transformer_folder / "config.json").read_bytes()
    parts = [
        str(GRAPH_VERSION),
        spec.weights_sha256,
        hashlib.sha256(config).hexdigest(),
        str(spec.pooling),
        str(precision),
        str(levels),
    ]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", spec.model.rpartition("/")[2]).strip(".-") or "model"
    return cache_folder / "graphs" / f"{name[:80]}-{precision}-{key}"


def is_intact(folder: Path, cache_folder: Path) -> bool:
    """Whether a graph lies there and its files are those that were written.

    A file whose inode, size and times are as at its last check is not read again.
    """
    try:
        manifest: Any = json.loads((folder / _MANIFEST).read_bytes())
        return all(
            (folder / name).stat().st_size == manifest[name]["bytes"]
            and sha256_of(folder / name, cache_folder) == manifest[name]["sha256"]
            for name in _FILES
        )
    except (OSError, ValueError, LookupError, TypeError, ModelError):
        return False


def remove(spec: ModelSpec, precision: Precision, cache_folder: Path) -> None:
    """Delete the graph of these weights, if there is one.

    Raises:
        ModelError: it cannot be deleted, on Windows while a process uses it.
    """
    folder = folder_of(spec, precision, cache_folder)
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ModelError(
            f"{folder}: cannot be deleted ({error.strerror or error}). End what uses it, then try "
            "again."
        ) from None


def size_bytes(folder: Path) -> int:
    """Bytes of a prepared graph on disk."""
    return sum((folder / name).stat().st_size for name in _FILES)


def _levels(precision: Precision, cache_folder: Path) -> int:
    return activation_levels(cache_folder / "graphs") if precision is Precision.INT8 else 0


def _build(
    encoder: Encoder, precision: Precision, levels: int, folder: Path, on_progress: OnBytes | None
) -> None:
    from indexer.embedding.onnx.graph import Graph
    from indexer.embedding.onnx.linear import Linear

    with Graph(folder, on_progress) as graph:
        encoder.build(graph, Linear(graph, precision, levels))
        graph.save()


def _seal(folder: Path, spec: ModelSpec, precision: Precision) -> None:
    """Write the manifest, last of all."""
    values: dict[str, Any] = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)}
        for name in _FILES
    }
    values |= {"model": spec.model, "weights": spec.weights_sha256, "precision": precision}
    (folder / _MANIFEST).write_text(json.dumps(values, indent=2), encoding="utf-8")


def _put_in_place(draft: Path, target: Path, cache_folder: Path) -> None:
    """Rename the draft; if another process was first, its folder is as good."""
    for _ in range(2):
        try:
            os.replace(draft, target)
            return
        except OSError:
            if is_intact(target, cache_folder):
                return
            shutil.rmtree(target, ignore_errors=True)
    raise OSError(f"{target} cannot be replaced")
