"""Predicted memory of a mode: weights, activations of a batch, and what libraries take.

Constants come from benchmarks/plan/memory.py: peak RSS of a process of its own, torch 2.13,
transformers 5.23, onnxruntime 1.32, Python 3.11 on Linux. It prints prediction over measurement.
"""

from indexer.embedding.planning.candidates import Candidate
from indexer.embedding.planning.plan import MemoryNeed
from indexer.embedding.planning.size import ModelSize
from indexer.embedding.runtimes.packed.products import SLAB_TOKENS
from indexer.embedding.wishes import Engine
from indexer.modes import Placement, Precision

MIB = 1 << 20
# Python with numpy, tokenizers and our own modules: 32 MiB; then the engine. Importing torch brings
# 185 MiB, transformers 24, and what both import when the first model is made 134; onnxruntime 20.
_PROGRAM = 32 * MIB
_ENGINE = {Engine.TORCH: 343 * MIB, Engine.ONNX: 20 * MIB}
# CUDA's libraries and context in RAM, and in the memory of the card. Not measured: no card here.
CUDA_RAM = 1200 * MIB
CUDA_CONTEXT = 500 * MIB
# A tokenizer for each byte of its file: Qwen3's 10.9 MiB become 45 that live and 55 of holes in the
# heap, left by parsing, with 28 more while it is parsed. (A malloc_trim shows the holes.) Nobody
# fills them beside onnxruntime, which maps memory of its own; torch, imported after the tokenizer,
# does: 121 MiB come with it instead of 185.
_TOKENIZER_LEAST = 8 * MIB
_TOKENIZER_LIVE, _TOKENIZER_HOLES, _TOKENIZER_PARSING = 4, 5, 3
# Buffers for matrix products, threads' arenas, and what glibc keeps at the heap's top
# (runtimes/allocator): the peaks of MiniLM less base, weights and activations.
_WORKSPACE = {Engine.TORCH: 20 * MIB, Engine.ONNX: 28 * MIB}
_GPU_WORKSPACE = 64 * MIB  # cuBLAS: 8 to 32 MiB a stream, and rounding of torch's blocks


def activation_bytes(size: ModelSize, candidate: Candidate, batch_tokens: int) -> int:
    """Bytes alive at the widest point of a layer, the MLP.

    Its two inner inputs and their product, the residual and the layer's own input and output.
    """
    value_bytes = 4 if candidate.precision in (Precision.FP32, Precision.INT8) else 2
    if candidate.placement is not Placement.CPU:
        value_bytes = 4 if candidate.precision is Precision.FP32 else 2
    return batch_tokens * (3 * size.inner + 3 * size.hidden) * value_bytes


def cpu_need(size: ModelSize, candidate: Candidate, batch_tokens: int) -> MemoryNeed:
    """RAM of a model on the CPU."""
    assert candidate.engine is not None
    activations = activation_bytes(size, candidate, batch_tokens)
    base = _PROGRAM + _ENGINE[candidate.engine]
    base += tokenizer_need(size.tokenizer_bytes, candidate.engine)
    if candidate.engine is Engine.TORCH:
        return MemoryNeed(
            base=base,
            weights=int(size.values * candidate.value_bytes),
            activations=activations,
            workspace=_WORKSPACE[candidate.engine],
            # Mapped until the last tensor is copied out of it; in the checkpoint's own format the
            # mapped file itself serves as weights.
            loading=0 if candidate.value_bytes == size.file_value_bytes else size.file_bytes,
        )
    return MemoryNeed(
        base=base,
        # Rows of the token table are read from the mapped checkpoint; a corpus touches most.
        weights=int(size.matrix_values * candidate.value_bytes)
        + size.table_values * size.file_value_bytes,
        activations=activations,
        workspace=_WORKSPACE[candidate.engine],
    )


def remote_need(size: ModelSize) -> MemoryNeed:
    """RAM of asking a server: the program and the tokenizer, which cuts and counts here."""
    parsing = _TOKENIZER_PARSING * size.tokenizer_bytes
    return MemoryNeed(base=_PROGRAM + tokenizer_need(size.tokenizer_bytes), loading=parsing)


def gpu_ram_need(size: ModelSize, candidate: Candidate) -> MemoryNeed:
    """RAM beside a GPU: the mapped checkpoint passes through it; with offload the layers stay.

    Our own forward loads layer by layer, transformers the whole model before it moves.
    """
    weights = int(size.values * candidate.value_bytes)
    base = _PROGRAM + _ENGINE[Engine.TORCH] + CUDA_RAM
    base += tokenizer_need(size.tokenizer_bytes, Engine.TORCH)
    if candidate.placement is Placement.OFFLOAD:
        return MemoryNeed(base=base, weights=weights, loading=size.file_bytes)
    copied = 0 if size.against_packed is None else weights
    return MemoryNeed(base=base, loading=copied + size.file_bytes)


def gpu_need(size: ModelSize, candidate: Candidate, batch_tokens: int) -> MemoryNeed:
    """VRAM of a whole model."""
    tables = size.table_values * candidate.table_value_bytes
    return MemoryNeed(
        base=CUDA_CONTEXT,
        weights=int(tables + size.matrix_values * candidate.value_bytes),
        activations=activation_bytes(size, candidate, batch_tokens),
        workspace=_GPU_WORKSPACE + _rounding_bytes(size, candidate, batch_tokens),
    )


def _rounding_bytes(size: ModelSize, candidate: Candidate, batch_tokens: int) -> int:
    """VRAM that rounded weights need to be multiplied.

    One layer multiplied out in half precision (int4, int8 on older cards or on its way), or the
    sums of int8 products: whole numbers and their float32, of the widest matrix, for a slab.
    """
    layer = 2 * size.layer_values
    slab = min(batch_tokens, SLAB_TOKENS)
    if candidate.precision is Precision.INT4:
        return layer
    if candidate.precision is Precision.FP8:
        return slab * size.inner  # tokens in 8 bits
    if candidate.precision is Precision.INT8:
        sums = slab * 2 * size.inner * 8
        return layer if candidate.placement is Placement.OFFLOAD else max(layer, sums)
    return 0


def disk_need(size: ModelSize, candidate: Candidate, ram_bytes: int) -> tuple[MemoryNeed, int]:
    """(RAM, bytes left on disk) of offload where the weights do not all fit into `ram_bytes`.

    Whole modules are read when they are called; the largest, a layer or the table, passes through
    RAM beside those that stay.
    """
    base = gpu_ram_need(size, candidate).base
    weights = int(size.values * candidate.value_bytes)
    largest = int(max(size.layer_values, size.table_values) * candidate.value_bytes)
    kept = max(0, min(weights, ram_bytes - base - largest))
    return MemoryNeed(base=base, weights=kept, loading=largest), weights - kept


def offload_need(
    size: ModelSize, candidate: Candidate, batch_tokens: int, resident_layers: int
) -> MemoryNeed:
    """VRAM of a streamed model: the resident layers and two buffers, in which others take turns.

    The token table stays in RAM.
    """
    buffers = 2 if resident_layers < size.layers else 0
    layers = resident_layers + buffers
    return MemoryNeed(
        base=CUDA_CONTEXT,
        weights=int(layers * size.layer_values * candidate.value_bytes),
        activations=activation_bytes(size, candidate, batch_tokens),
        workspace=_GPU_WORKSPACE + _rounding_bytes(size, candidate, batch_tokens),
    )


def most_resident_layers(
    size: ModelSize, candidate: Candidate, batch_tokens: int, budget_bytes: int
) -> int:
    """Layers that can stay on a GPU within `budget_bytes` (CUDA's own included); may be 0."""
    layer = size.layer_values * candidate.value_bytes
    if offload_need(size, candidate, batch_tokens, size.layers).peak <= budget_bytes:
        return size.layers
    left = budget_bytes - offload_need(size, candidate, batch_tokens, 0).peak
    return max(0, min(size.layers - 1, int(left / layer)))


def tokenizer_need(file_bytes: int, followed_by: Engine | None = None) -> int:
    """RAM of a tokenizer by the size of its file, and of the holes that nobody fills after it."""
    holes = 0 if followed_by is Engine.TORCH else _TOKENIZER_HOLES
    return _TOKENIZER_LEAST + (_TOKENIZER_LIVE + holes) * file_bytes
