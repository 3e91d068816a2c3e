"""Put a packed model together: what is loaded where, and how large its batches may be."""

from typing import TYPE_CHECKING

from indexer.embedding.qwen3_config import read_config
from indexer.embedding.runtimes.base import default_batch_tokens
from indexer.embedding.runtimes.packed.attention import Attend, attend_runs, choose_attention
from indexer.embedding.runtimes.packed.budget import (
    FULL_TOKENS,
    MIN_TOKENS,
    StreamPlan,
)
from indexer.embedding.runtimes.packed.checkpoint import Checkpoint
from indexer.embedding.runtimes.packed.copies import Copies, CudaCopies, InstantCopies
from indexer.embedding.runtimes.packed.form_choice import (
    resident_form,
    travelling_form,
)
from indexer.embedding.runtimes.packed.forms import Form
from indexer.embedding.runtimes.packed.loading import LayerLoader
from indexer.embedding.runtimes.packed.measure import measure_memory
from indexer.embedding.runtimes.packed.model import PackedModel
from indexer.embedding.runtimes.packed.resident import ResidentLayers
from indexer.embedding.runtimes.packed.stage import Stage
from indexer.embedding.runtimes.packed.token_table import RoundedTable, TokenTable
from indexer.embedding.runtimes.packed.vram import (
    free_vram,
    full_name,
    lift_limit,
    limit_vram,
)
from indexer.embedding.spec import ModelSpec
from indexer.modes import QUANTISED, Mode, Placement, Precision

if TYPE_CHECKING:
    import torch

# Left free on a GPU that holds the whole model: the desktop, other programs, graphs.
_SPARE_BYTES = 256 << 20


def open_resident(
    spec: ModelSpec,
    device: str = "cpu",
    precision: Precision = Precision.FP32,
    max_batch_tokens: int | None = None,
) -> PackedModel:
    """The whole model on one device.

    Args:
        spec: of a model for which `config.reason_against` knows nothing.
        device: "cpu" or a CUDA device.
        precision: of the weights; activations are rounded too in fp8, and in int8 where the
            device multiplies whole numbers.
        max_batch_tokens: tokens of one batch; None: as memory allows.

    Raises:
        ModelError: the weights cannot be read.
        PlacementError: the precision is not for this device or these weights.
    """
    device = full_name(device)
    checkpoint, dtype = _checkpoint(spec), compute_dtype(precision, device)
    attend = _attention(checkpoint, device, dtype)
    placement = Placement.CPU if device == "cpu" else Placement.GPU
    form = resident_form(precision, checkpoint.config, dtype, device)
    loader = LayerLoader(checkpoint, form, dtype)
    layers = range(checkpoint.config.layers)
    source = ResidentLayers((loader.load_to(i, device) for i in layers), form)
    table = _table(checkpoint, device, dtype, precision)
    wished = max_batch_tokens or default_batch_tokens(placement)
    if placement is Placement.GPU:
        wished = min(wished, _tokens_that_fit(checkpoint, source, attend, device))
    return PackedModel(
        checkpoint,
        source,
        table,
        mode=Mode(placement, precision),
        device=device,
        dtype=dtype,
        attend=attend,
        max_batch_tokens=wished,
        use_graphs=attend is not attend_runs,
        notes=_resident_notes(precision, form),
    )


def open_streamed(
    spec: ModelSpec,
    device: str,
    precision: Precision,
    vram_bytes: int,
    max_batch_tokens: int | None = None,
    copies: Copies | None = None,
) -> PackedModel:
    """The model in RAM, its layers brought to the device as they are needed.

    Args:
        spec: of a model for which `config.reason_against` knows nothing.
        device: a CUDA device, or "cpu" to try the streaming without one.
        precision: fp32, bf16, fp16, or int8 for the way to the device.
        vram_bytes: memory of the device to use at most.
        max_batch_tokens: tokens of one batch; None: as many as hide the copies, and fit.
        copies: the way to the device; None for the device's own.

    Raises:
        ModelError: the weights cannot be read.
        PlacementError: not even two layers and a small batch fit.
    """
    device = full_name(device)
    checkpoint, dtype = _checkpoint(spec), compute_dtype(precision, device)
    attend = _attention(checkpoint, device, dtype)
    copies = copies or (InstantCopies() if device == "cpu" else CudaCopies(device))
    form = travelling_form(precision, checkpoint.layout, dtype, device)
    stage = Stage(checkpoint, form, copies, attend, device, dtype)
    try:
        plan = stage.plan(vram_bytes, max_batch_tokens)
        if device != "cpu":
            limit_vram(device, vram_bytes)
        source = stage.source(plan)
    except BaseException:
        copies.close()
        if device != "cpu":
            lift_limit(device)
        raise
    return PackedModel(
        checkpoint,
        source,
        TokenTable(checkpoint.embedding(), device, dtype, on_device=False),
        mode=Mode(Placement.OFFLOAD, precision),
        device=device,
        dtype=dtype,
        attend=attend,
        max_batch_tokens=plan.max_tokens,
        notes=_notes(plan, checkpoint, copies),
    )


def compute_dtype(precision: Precision, device: str) -> "torch.dtype":
    """The type in which a precision computes on a device: the rounded ones in half precision."""
    import torch

    known = {
        Precision.FP32: torch.float32,
        Precision.BF16: torch.bfloat16,
        Precision.FP16: torch.float16,
    }
    if precision in known:
        return known[precision]
    if device == "cpu":
        return torch.float32
    has_bf16 = torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.bfloat16 if has_bf16 else torch.float16


def _checkpoint(spec: ModelSpec) -> Checkpoint:
    return Checkpoint(spec.transformer_folder, read_config(spec.transformer_folder))


def _attention(checkpoint: Checkpoint, device: str, dtype: "torch.dtype") -> Attend:
    config = checkpoint.config
    return choose_attention(device, dtype, config.heads, config.kv_heads, config.head_dim)


def _table(
    checkpoint: Checkpoint, device: str, dtype: "torch.dtype", precision: Precision
) -> TokenTable:
    """On the device, in int8 beside rounded layers: recorded graphs cannot reach into RAM."""
    if precision in QUANTISED:
        return RoundedTable(checkpoint.embedding(), device, dtype)
    return TokenTable(checkpoint.embedding(), device, dtype, on_device=device != "cpu")


def _tokens_that_fit(
    checkpoint: Checkpoint, source: ResidentLayers, attend: Attend, device: str
) -> int:
    """Tokens of a batch in the memory that the loaded model leaves."""
    layers = source.stream()
    memory = measure_memory(next(layers), checkpoint.config, attend, FULL_TOKENS)
    layers.close()
    return max(MIN_TOKENS, (free_vram(device) - _SPARE_BYTES) // memory.token_bytes)


def _resident_notes(precision: Precision, form: Form) -> list[str]:
    if precision is Precision.INT8 and not form.keeps_buffer:
        return ["int8 weights are multiplied out for every pass: this card has no int8 products"]
    return []


def _notes(plan: StreamPlan, checkpoint: Checkpoint, copies: Copies) -> list[str]:
    layers = checkpoint.config.layers
    staying = f"{plan.resident} of {layers} layers stay on the device"
    notes = [f"{staying}, batches of {plan.max_tokens} tokens"]
    if copies.unpinned_bytes:
        notes.append(
            f"{copies.unpinned_bytes >> 20} MiB of weights could not be pinned, so copies are "
            "slower: raise the limit on locked memory (ulimit -l)"
        )
    return notes
