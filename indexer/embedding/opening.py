"""Load a model where it should run: the one place that chooses among the runtimes."""

from indexer.embedding.embedder import Embedder
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.embedding.wishes import Wishes
from indexer.errors import PlacementError
from indexer.modes import Mode, Placement, Precision


def open_embedder(
    spec: ModelSpec, wishes: Wishes | None = None, dimension: int | None = None
) -> Embedder:
    """The model, loaded.

    Args:
        spec: the model.
        wishes: where and how it shall run; None: wherever is best.
        dimension: values kept of each vector (MRL); None for all.

    Raises:
        PlacementError: this machine or this version cannot run that mode.
        ModelError: the model cannot be loaded.
        UsageError: the model cannot give that dimension.
    """
    spec.check_dimension(dimension)
    wishes = wishes or Wishes()
    tokenizer = load_tokenizer(spec)
    precision = wishes.precision or Precision.FP32
    target = _device(wishes.placement, precision, wishes.device)
    import torch

    from indexer.embedding.runtimes.whole import WholeModel

    if wishes.threads is not None:
        torch.set_num_threads(wishes.threads)
    runtime = WholeModel(spec, target, precision, wishes.max_batch_tokens)
    return LocalEmbedder(spec, tokenizer, runtime, dimension)


def _device(placement: Placement | None, precision: Precision, device: str | None) -> str:
    """The torch device of a mode this version runs."""
    import torch

    if placement in (Placement.OFFLOAD, Placement.REMOTE) or precision in (
        Precision.INT8,
        Precision.INT4,
    ):
        raise PlacementError(
            f"Mode {placement or 'auto'}:{precision} is not available in this version. "
            "Use placement cpu or gpu with precision fp32, or bf16 and fp16 on a GPU."
        )
    has_gpu = torch.cuda.is_available()
    if placement is None:
        placement = Placement.GPU if has_gpu else Placement.CPU
    if placement is Placement.GPU and not has_gpu:
        raise PlacementError(
            f"Placement gpu: torch {torch.__version__} sees no CUDA device. Use placement cpu, or "
            "install the NVIDIA "
            "driver and a CUDA build of torch (https://pytorch.org/get-started)."
        )
    if placement is Placement.CPU:
        if precision is not Precision.FP32:
            raise PlacementError(
                f"Mode {Mode(placement, precision)}: on the CPU the model runs in fp32 (half "
                "precision is slower there). Use fp32."
            )
        return "cpu"
    return device or "cuda"
