"""Load a model where it should run: the one place that chooses among the runtimes."""

import atexit
import shutil
import tempfile
from collections.abc import Set
from functools import cache
from pathlib import Path

from indexer.embedding.embedder import Embedder
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.planning.choose import ram_for_weights, settle
from indexer.embedding.planning.size import read_size
from indexer.embedding.runtimes.base import DiskRoom, Runtime
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.embedding.wishes import Engine, Wishes
from indexer.errors import ModelError, PlacementError
from indexer.modes import Mode, Placement, Precision


def open_embedder(
    spec: ModelSpec,
    wishes: Wishes | None = None,
    dimension: int | None = None,
    cache_folder: Path | None = None,
    checked: Set[Mode] = frozenset(),
) -> Embedder:
    """The model, loaded.

    Args:
        spec: the model.
        wishes: where and how it shall run; the planner decides what they leave open.
        dimension: values kept of each vector (MRL); None for all.
        cache_folder: where prepared graphs are kept; None: they last as long as this process.
        checked: quantised modes that the planner may choose: their quality on this model is known.

    Raises:
        PlacementError: this machine or this version cannot run that mode.
        ModelError: the model cannot be loaded.
        UsageError: the model cannot give that dimension.
    """
    spec.check_dimension(dimension)
    wishes = wishes or Wishes()
    tokenizer = load_tokenizer(spec)
    if wishes.placement is Placement.REMOTE:
        from indexer.embedding.remote.embedder import open_remote

        return open_remote(spec, tokenizer, wishes, dimension)
    if not spec.weights_bytes:
        raise ModelError(
            f"{spec.folder}: holds no weights, only what a remote endpoint needs. Use placement "
            "remote, or a folder with model.safetensors."
        )
    runtime = open_runtime(spec, wishes, cache_folder, checked)
    return LocalEmbedder(spec, tokenizer, runtime, dimension)


def open_runtime(
    spec: ModelSpec,
    wishes: Wishes,
    cache_folder: Path | None = None,
    checked: Set[Mode] = frozenset(),
) -> Runtime:
    """The model's forward pass on this machine; the arguments are those of `open_embedder`.

    Raises:
        PlacementError: this machine or this version cannot run that mode.
        ModelError: the model cannot be loaded.
    """
    wishes = settle(spec, wishes, checked)
    assert wishes.placement is not None
    assert wishes.precision is not None
    mode = Mode(wishes.placement, wishes.precision)
    if mode.placement is Placement.CPU and engine_of(spec, mode, wishes) is Engine.ONNX:
        from indexer.embedding.runtimes.onnx_cpu import OnnxModel

        return OnnxModel(
            spec,
            mode.precision,
            cache_folder or _passing_folder(),
            wishes.threads,
            wishes.max_batch_tokens,
        )
    return _torch_runtime(spec, mode, wishes, cache_folder)


def engine_of(spec: ModelSpec, mode: Mode, wishes: Wishes) -> Engine:
    """What runs this model on the CPU in this precision.

    Raises:
        PlacementError: nothing does, or not the engine that was wished for.
    """
    from indexer.embedding.onnx.encoder import reason_against

    against = reason_against(spec)
    if against is None and mode.precision not in (Precision.FP32, Precision.INT8):
        against = f"it computes in fp32 and int8, not in {mode.precision}"
    if against is not None and wishes.engine is Engine.ONNX:
        raise PlacementError(
            f"Engine onnx cannot run {spec.model} in mode {mode}: {against}. Use engine torch."
        )
    if mode.precision is Precision.INT8 and (against or wishes.engine is Engine.TORCH):
        raise PlacementError(
            f"Mode {mode} is for engine onnx alone, not for {spec.model}: "
            f"{against or 'engine torch was asked for'}. Use precision fp32."
        )
    return Engine.TORCH if against else wishes.engine or Engine.ONNX


def _torch_runtime(
    spec: ModelSpec, mode: Mode, wishes: Wishes, cache_folder: Path | None
) -> Runtime:
    import torch

    if wishes.threads is not None:
        torch.set_num_threads(wishes.threads)
    if mode.placement is not Placement.CPU:
        from indexer.embedding.runtimes.on_gpu import open_on_gpu

        room = None
        if mode.placement is Placement.OFFLOAD:
            ram = ram_for_weights(read_size(spec), mode, wishes)
            room = None if ram is None else DiskRoom(ram, cache_folder or _passing_folder())
        return open_on_gpu(spec, mode, wishes, room)
    if mode.precision in (Precision.INT8, Precision.INT4):
        raise PlacementError(
            f"Mode {mode} is not available in this version. Use placement cpu with precision fp32 "
            "or int8, or placement gpu with fp32, bf16 or fp16."
        )
    from indexer.embedding.runtimes.allocator import limit_hoarding
    from indexer.embedding.runtimes.whole import WholeModel

    limit_hoarding()
    return WholeModel(spec, "cpu", mode.precision, wishes.max_batch_tokens)


@cache
def _passing_folder() -> Path:
    """A folder that goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="semsearch-graphs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
