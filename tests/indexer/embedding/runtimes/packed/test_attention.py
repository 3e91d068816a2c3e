"""Attention stays inside each text, and no faster way is taken on trust."""

from typing import Any

import pytest
import torch
from torch.nn.attention import varlen

from indexer.embedding.runtimes.packed import attention
from indexer.embedding.runtimes.packed.attention import attend_runs, choose_attention
from indexer.embedding.runtimes.packed.batch import pack

HEADS, KV_HEADS, HEAD_DIM = 4, 2, 8


def by_definition(queries: Any, keys: Any, values: Any, lengths: list[int]) -> torch.Tensor:
    """Softmax over the earlier tokens of the same text, head by head, in float64."""
    found, start = torch.zeros(queries.shape, dtype=torch.float64), 0
    for length in lengths:
        for row in range(start, start + length):
            for head in range(HEADS):
                group = head // (HEADS // KV_HEADS)
                seen = keys[start : row + 1, group].double()
                weights = (seen @ queries[row, head].double() / HEAD_DIM**0.5).softmax(0)
                found[row, head] = weights @ values[start : row + 1, group].double()
        start += length
    return found


@pytest.mark.parametrize("lengths", [[1], [5, 5, 5], [7, 3, 3, 1, 7], [2, 1, 1, 1]])
def test_attention_is_causal_within_each_text(lengths: list[int]) -> None:
    draw = torch.Generator().manual_seed(3)
    batch = pack([[0] * length for length in lengths])
    queries = torch.randn(batch.tokens, HEADS, HEAD_DIM, generator=draw)
    keys, values = torch.randn(2, batch.tokens, KV_HEADS, HEAD_DIM, generator=draw)
    expected = by_definition(queries, keys, values, lengths)
    found = attend_runs(queries, keys, values, batch, False)
    assert (found - expected).abs().max() < 1e-5
    pooled = attend_runs(queries[batch.last], keys, values, batch, True)
    assert (pooled - expected[batch.last]).abs().max() < 1e-5


def flash(
    queries: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    cu_seq_q: torch.Tensor,
    cu_seq_k: torch.Tensor,
    max_q: int,
    max_k: int,
    causal: bool,
) -> torch.Tensor:
    """What the CUDA kernel computes; its causal mask is aligned to each text's end."""
    parts = []
    for i in range(len(cu_seq_q) - 1):
        rows = slice(int(cu_seq_q[i]), int(cu_seq_q[i + 1]))
        seen = slice(int(cu_seq_k[i]), int(cu_seq_k[i + 1]))
        assert rows.stop - rows.start <= max_q
        assert seen.stop - seen.start <= max_k
        group = queries.shape[1] // keys.shape[1]
        theirs, held = (p[seen].repeat_interleave(group, dim=1) for p in (keys, values))
        scores = torch.einsum("qhd,khd->hqk", queries[rows], theirs) / queries.shape[-1] ** 0.5
        if causal:
            scores += torch.full(scores.shape[1:], float("-inf")).triu(1)
        parts.append(torch.einsum("hqk,khd->qhd", scores.softmax(-1), held))
    return torch.cat(parts)


# The same call under the signatures of three versions of torch.
def of_torch_2_10(
    q: Any, k: Any, v: Any, cu_q: Any, cu_k: Any, max_q: int, max_k: int, is_causal: bool = False
) -> torch.Tensor:
    return flash(q, k, v, cu_q, cu_k, max_q, max_k, is_causal)


def of_torch_2_11(
    q: Any,
    k: Any,
    v: Any,
    cu_q: Any,
    cu_k: Any,
    max_q: int,
    max_k: int,
    *,
    window_size: tuple[int, int] = (-1, -1),
) -> torch.Tensor:
    return flash(q, k, v, cu_q, cu_k, max_q, max_k, window_size == (-1, 0))


def of_torch_2_13(
    q: Any,
    k: Any,
    v: Any,
    cu_q: Any,
    cu_k: Any,
    max_q: int,
    max_k: int,
    *,
    window_size: tuple[int, int] = (-1, -1),
    enable_gqa: bool = False,
) -> torch.Tensor:
    assert enable_gqa or q.shape[1] == k.shape[1]
    return flash(q, k, v, cu_q, cu_k, max_q, max_k, window_size == (-1, 0))


@pytest.mark.parametrize("version", [of_torch_2_10, of_torch_2_11, of_torch_2_13])
def test_variable_length_kernel_of_each_torch_is_called_rightly(
    monkeypatch: pytest.MonkeyPatch, version: Any
) -> None:
    monkeypatch.setattr(varlen, "varlen_attn", version)
    attend = attention.varlen_attention()
    assert attend is not None
    assert attention._agrees(attend, "cpu", torch.float32, HEADS, KV_HEADS, HEAD_DIM)


def test_kernel_that_answers_otherwise_is_not_taken() -> None:
    def blind(*parts: Any) -> torch.Tensor:
        return attend_runs(*parts).roll(1, 0)

    assert not attention._agrees(blind, "cpu", torch.float32, HEADS, KV_HEADS, HEAD_DIM)


def test_kernel_that_does_not_run_here_is_not_taken() -> None:
    """The real one has no CPU form: the error is torch's own."""
    attend = attention.varlen_attention()
    assert attend is not None
    assert not attention._agrees(attend, "cpu", torch.bfloat16, HEADS, KV_HEADS, HEAD_DIM)


def test_attention_by_runs_is_chosen_off_the_gpu_and_in_fp32() -> None:
    assert choose_attention("cpu", torch.bfloat16, 4, 2, 16) is attend_runs
    assert choose_attention("cuda", torch.float32, 4, 2, 16) is attend_runs
