"""Which runtime puts a model on a CUDA device: our packed forward, or transformers."""

from indexer.embedding.qwen3_config import reason_against
from indexer.embedding.runtimes.base import DiskRoom, Runtime
from indexer.embedding.spec import ModelSpec
from indexer.embedding.wishes import Wishes
from indexer.errors import PlacementError
from indexer.modes import Mode, Placement, Precision

# Of the free memory, where the user set no limit: the rest is for the desktop and others.
_FREE_SHARE = 0.9


def open_on_gpu(
    spec: ModelSpec, mode: Mode, wishes: Wishes, room: DiskRoom | None = None
) -> Runtime:
    """The model as `gpu` (whole) or `offload` (layers streamed from RAM).

    Args:
        spec: the model.
        mode: where and in which precision.
        wishes: its device and limits.
        room: for an offload whose weights do not all fit into RAM; None: they do.

    Raises:
        PlacementError: there is no CUDA device, or the mode is not for this model.
        ModelError: the model cannot be loaded.
    """
    import torch

    if not torch.cuda.is_available():
        raise PlacementError(
            f"Placement {mode.placement}: torch {torch.__version__} sees no CUDA device. Use "
            "placement cpu, or install the NVIDIA driver and a CUDA build of torch "
            "(https://pytorch.org/get-started)."
        )
    against = reason_against(spec)
    check_precision(spec, mode, against)
    try:
        return _loaded(spec, mode, wishes, room, packed=against is None)
    except torch.OutOfMemoryError as error:
        raise PlacementError(
            f"Mode {mode}: {spec.model} does not fit into the GPU's memory ({error}). Free some, "
            "or use placement offload or cpu."
        ) from error


def _loaded(
    spec: ModelSpec, mode: Mode, wishes: Wishes, room: DiskRoom | None, packed: bool
) -> Runtime:
    device = wishes.device or "cuda"
    if mode.placement is Placement.OFFLOAD:
        return _offloaded(spec, mode, wishes, device, None if packed else room, packed)
    if packed:
        from indexer.embedding.runtimes.packed.opening import open_resident

        return open_resident(spec, device, mode.precision, wishes.max_batch_tokens)
    from indexer.embedding.runtimes.whole import WholeModel

    return WholeModel(spec, device, mode.precision, wishes.max_batch_tokens)


def check_precision(spec: ModelSpec, mode: Mode, against: str | None) -> None:
    """Refuse a precision that no runtime of the placement has.

    Args:
        spec: the model.
        mode: what was asked for.
        against: why the packed forward cannot run the model.

    Raises:
        PlacementError: names what there is instead.
    """
    known = {Precision.FP32, Precision.BF16, Precision.FP16}
    quantised = {Precision.INT8}
    if mode.placement is Placement.GPU:
        quantised |= {Precision.FP8, Precision.INT4}
    if against is None:
        known |= quantised
    if mode.precision in known:
        return
    why = f" for {spec.model}: {against}" if mode.precision in quantised else ""
    offered = ", ".join(precision for precision in Precision if precision in known)
    raise PlacementError(
        f"Mode {mode} is not available in this version{why}. Use {mode.placement} with {offered}."
    )


def _offloaded(
    spec: ModelSpec,
    mode: Mode,
    wishes: Wishes,
    device: str,
    room: DiskRoom | None,
    packed: bool,
) -> Runtime:
    from indexer.embedding.runtimes.packed.vram import free_vram

    vram_bytes = wishes.max_vram_bytes or int(_FREE_SHARE * free_vram(device))
    tokens = wishes.max_batch_tokens
    if packed:
        from indexer.embedding.runtimes.packed.opening import open_streamed

        return open_streamed(spec, device, mode.precision, vram_bytes, tokens)
    if room is not None:
        from indexer.embedding.runtimes.from_disk import DiskModel

        return DiskModel(spec, device, mode.precision, room, tokens, vram_bytes)
    from indexer.embedding.runtimes.accelerated import AcceleratedModel

    return AcceleratedModel(spec, device, mode.precision, tokens, vram_bytes)
