"""The plan never exceeds its memory, keeps what it can, and refuses with the number needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.embedding.runtimes.packed.budget import (
    BUFFERS,
    FULL_TOKENS,
    MAX_TOKENS,
    MIN_TOKENS,
    Rates,
    Sizes,
    packed_batch_size,
    plan_stream,
    tokens_to_hide,
)
from indexer.embedding.runtimes.packed.streamed import spread
from indexer.errors import PlacementError

MIB = 1 << 20
# Qwen3-Embedding-0.6B in bf16 on an H200-class card: 30 MiB a layer, 55 GB/s, half of 800 TFLOP/s.
LARGE = Sizes(fixed=64 * MIB, layer=30 * MIB, buffer=30 * MIB, token=28_000)
FAST = Rates(copy_s=30 * MIB / 55e9, token_s=31.5e6 / 400e12)


@given(
    layers=st.integers(1, 80),
    vram=st.integers(0, 1 << 36),
    fixed=st.integers(0, 1 << 30),
    layer=st.integers(1 << 16, 1 << 29),
    share=st.sampled_from([1, 2]),
    token=st.integers(100, 1 << 20),
    copy_s=st.floats(1e-6, 1.0),
    token_s=st.floats(1e-9, 1e-2),
    max_tokens=st.none() | st.integers(1, 100_000),
)
def test_plan_stays_within_its_memory_or_says_how_much_it_needs(
    layers: int,
    vram: int,
    fixed: int,
    layer: int,
    share: int,
    token: int,
    copy_s: float,
    token_s: float,
    max_tokens: int | None,
) -> None:
    sizes = Sizes(fixed, layer, layer // share, token)
    rates = Rates(copy_s, token_s)
    try:
        plan = plan_stream(layers, vram, sizes, rates, max_tokens)
    except PlacementError as error:
        needed = int(str(error).split("at least ")[1].split(" MiB")[0]) * MIB
        assert needed > vram
        enough = plan_stream(layers, needed + layers * layer, sizes, rates, max_tokens)
        assert enough.vram_bytes(sizes) <= needed + layers * layer
        return
    assert plan.vram_bytes(sizes) <= vram
    assert 1 <= plan.max_tokens <= min(max_tokens or MAX_TOKENS, MAX_TOKENS)
    assert plan.max_tokens >= min(MIN_TOKENS, max_tokens or MIN_TOKENS)
    if plan.resident == layers:
        assert plan.buffers == 0
    else:
        assert plan.buffers == BUFFERS < layers - plan.resident
    # Nothing is kept at the price of waiting for copies.
    hidden = min(tokens_to_hide(layers - plan.resident, layers, rates), MAX_TOKENS)
    if plan.resident and max_tokens is None:
        assert plan.max_tokens >= hidden
        assert plan.resident == layers or plan.max_tokens >= FULL_TOKENS


def test_small_model_in_much_memory_stays_whole() -> None:
    plan = plan_stream(28, 8 << 30, LARGE, FAST)
    assert (plan.resident, plan.buffers, plan.max_tokens) == (28, 0, MAX_TOKENS)


def test_400_mib_hide_the_copies_of_a_fast_card() -> None:
    plan = plan_stream(28, 400 * MIB, LARGE, FAST)
    assert plan.max_tokens >= tokens_to_hide(28 - plan.resident, 28, FAST)
    assert plan.vram_bytes(LARGE) <= 400 * MIB
    assert plan.resident < 28


def test_fast_bus_keeps_layers_but_not_at_the_price_of_tiny_batches() -> None:
    plan = plan_stream(28, 400 * MIB, LARGE, Rates(FAST.copy_s / 100, FAST.token_s))
    assert plan.resident == (400 - 64 - 60 - 2048 * LARGE.token / MIB) // 30
    assert plan.max_tokens >= FULL_TOKENS


def test_slow_bus_takes_all_memory_for_the_batch() -> None:
    """Copies cannot be hidden in this memory: then the largest batch loses least."""
    plan = plan_stream(28, 300 * MIB, LARGE, Rates(FAST.copy_s * 20, FAST.token_s))
    assert plan.resident == 0
    assert plan.max_tokens == (300 - 64 - 60) * MIB // LARGE.token


def test_too_little_memory_is_refused_with_what_is_needed() -> None:
    with pytest.raises(PlacementError, match="at least 131 MiB .* 100 MiB are allowed"):
        plan_stream(28, 100 * MIB, LARGE, FAST)


@given(st.integers(1, 100), st.data())
def test_resident_layers_are_spread_evenly(layers: int, data: st.DataObject) -> None:
    resident = data.draw(st.integers(0, layers))
    chosen = spread(resident, layers)
    assert len(chosen) == resident
    gaps = [b - a for a, b in zip([-1, *chosen], [*chosen, layers], strict=True)]
    if resident:
        assert max(gaps[:-1]) - min(gaps[:-1]) <= 1 or max(gaps) <= layers // resident + 1


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 200))
def test_packed_batch_takes_what_fits_and_one_at_least(lengths: list[int], budget: int) -> None:
    count = packed_batch_size(lengths, budget)
    assert count >= 1
    assert count == 1 or sum(lengths[:count]) <= budget
    assert count == len(lengths) or sum(lengths[: count + 1]) > budget
