"""Causal attention inside each text of a packed batch, by the fastest way that proves itself.

`attend_runs` works everywhere: one call of torch's fused attention for each run of texts of equal
length. On GPUs with flash attention (compute capability 8.0 on, half precision) one call of
`torch.nn.attention.varlen` does the whole batch; it is chosen only after it gave the same answer
on a small batch here, since its signature and its reach differ between versions of torch.
"""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from indexer.embedding.runtimes.packed.batch import PackedBatch, pack

if TYPE_CHECKING:
    import torch

# (queries, keys, values, batch, pooled) -> what each query gathers. Queries (rows, heads, head_dim)
# are those of all tokens, or with `pooled` of each text's last token only; keys and values are
# (tokens, kv_heads, head_dim).
Attend = Callable[
    ["torch.Tensor", "torch.Tensor", "torch.Tensor", PackedBatch, bool], "torch.Tensor"
]


def attend_runs(
    queries: "torch.Tensor",
    keys: "torch.Tensor",
    values: "torch.Tensor",
    batch: PackedBatch,
    pooled: bool,
) -> "torch.Tensor":
    """Attention run by run, see `Attend`. The result is contiguous."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    found = torch.empty_like(queries, memory_format=torch.contiguous_format)
    group = queries.shape[1] // keys.shape[1]
    for run in batch.runs():
        # A pooled token is its text's last: it sees all of it, so needs no mask.
        size = 1 if pooled else run.length
        first = run.text if pooled else run.token
        rows = slice(first, first + run.texts * size)
        seen = slice(run.token, run.token + run.texts * run.length)
        mine = _by_head(queries[rows], run.texts)
        # Repeated here: on GPUs without flash attention torch's fused kernels know no shared heads.
        theirs = _by_head(keys[seen], run.texts, group)
        held = _by_head(values[seen], run.texts, group)
        answer = scaled_dot_product_attention(mine, theirs, held, is_causal=not pooled)
        found[rows] = answer.transpose(1, 2).flatten(0, 1)
    return found


def _by_head(rows: "torch.Tensor", texts: int, group: int = 1) -> "torch.Tensor":
    """(texts x length, heads, head_dim) -> (texts, heads x group, length, head_dim)."""
    by_text = rows.view(texts, -1, *rows.shape[1:]).transpose(1, 2)
    return by_text if group == 1 else by_text.repeat_interleave(group, dim=1)


def choose_attention(
    device: str, dtype: "torch.dtype", heads: int, kv_heads: int, head_dim: int
) -> Attend:
    """The variable-length kernel where it runs and agrees with `attend_runs`, else that one."""
    import torch

    if not device.startswith("cuda") or dtype not in (torch.bfloat16, torch.float16):
        return attend_runs
    if torch.version.hip or torch.cuda.get_device_capability(device) < (8, 0):
        return attend_runs
    candidate = varlen_attention()
    if candidate is None:
        return attend_runs
    return (
        candidate if _agrees(candidate, device, dtype, heads, kv_heads, head_dim) else attend_runs
    )


def varlen_attention() -> Attend | None:
    """Torch's variable-length attention behind our arguments; None where this torch has none."""
    try:
        from torch.nn.attention import varlen
    except ImportError:
        return None
    # torch 2.10 takes is_causal; 2.11 a window, and shares heads unasked; 2.12 wants to be asked.
    known = inspect.signature(varlen.varlen_attn).parameters
    shared: dict[str, Any] = {"enable_gqa": True} if "enable_gqa" in known else {}
    causal: dict[str, Any] = (
        {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    )

    def attend(
        queries: "torch.Tensor",
        keys: "torch.Tensor",
        values: "torch.Tensor",
        batch: PackedBatch,
        pooled: bool,
    ) -> "torch.Tensor":
        starts = batch.each if pooled else batch.starts
        size = 1 if pooled else batch.longest
        options = shared if pooled else shared | causal
        found = varlen.varlen_attn(
            queries, keys, values, starts, batch.starts, size, batch.longest, **options
        )
        assert not isinstance(found, tuple)
        return found

    return attend


def _agrees(
    candidate: Attend, device: str, dtype: "torch.dtype", heads: int, kv_heads: int, head_dim: int
) -> bool:
    """Whether a candidate runs on this device and gives what `attend_runs` gives."""
    import torch

    batch = pack([[0] * length for length in (70, 1, 5, 5)]).to(device)
    draw = torch.Generator(device).manual_seed(0)

    def random(rows: int, count: int) -> "torch.Tensor":
        shape = (rows, count, head_dim)
        return torch.randn(shape, generator=draw, device=device, dtype=dtype)

    keys, values = random(batch.tokens, kv_heads), random(batch.tokens, kv_heads)
    try:
        for pooled in (False, True):
            queries = random(len(batch.lengths) if pooled else batch.tokens, heads)
            found = candidate(queries, keys, values, batch, pooled)
            expected = attend_runs(queries, keys, values, batch, pooled)
            # Half precision: values of size 1, 8 bits of them in bfloat16.
            if not torch.allclose(found.float(), expected.float(), atol=2e-2, rtol=2e-2):
                return False
    except (RuntimeError, TypeError, ValueError, NotImplementedError):
        # A torch built without flash attention, an unusual head size, another signature.
        return False
    return True
