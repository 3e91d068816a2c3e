"""Layers arrive in order, ahead of the computing, and are never overwritten while in use."""

from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from indexer.embedding.runtimes.packed.streamed import StreamedLayers, spread
from slow_devices import Simulated, Span


@dataclass
class Numbered:
    """A form whose layers are eight bytes that say which layer they are.

    If it does not keep the buffer, unpacking is computing that reads it and writes elsewhere.
    """

    keeps_buffer: bool
    device: Simulated
    size_bytes: int = 8

    def settle(self, flat: Any) -> None:
        raise AssertionError("only loading settles")

    def pack(self, flat: Any, buffer: Any) -> None:
        raise AssertionError("only loading packs")

    def unpack(self, buffer: torch.Tensor) -> Any:
        if self.keeps_buffer:
            return buffer
        self.device.compute(int(buffer[0]), buffer.data_ptr())
        return buffer.clone()


@dataclass
class Machine:
    """A source of numbered layers on a device in simulated time."""

    device: Simulated
    source: StreamedLayers
    layers: int

    def run(self, give_up_at: int | None = None) -> list[int]:
        """One pass; the layers in the order in which they were computed."""
        seen = []
        with closing(self.source.stream()) as stream:
            for index, weights in enumerate(stream):
                if index == give_up_at:
                    raise torch.OutOfMemoryError("CUDA out of memory")
                layer = int(weights[0])  # type: ignore[index]  # bytes in this test
                self.device.compute(layer, weights.data_ptr())  # type: ignore[attr-defined]
                seen.append(layer)
        return seen


def machine(
    layers: int = 8,
    resident: int = 0,
    buffers: int = 2,
    copy_s: float = 1.0,
    compute_s: float = 1.0,
    keeps_buffer: bool = True,
) -> Machine:
    def numbered(index: int) -> torch.Tensor:
        return torch.full((8,), index, dtype=torch.uint8)

    device = Simulated(copy_s, compute_s)
    staying = spread(resident, layers)
    source = StreamedLayers(
        {i: numbered(i) for i in staying},  # type: ignore[misc]  # bytes in this test
        {i: numbered(i) for i in range(layers) if i not in staying},
        [torch.full((8,), 255, dtype=torch.uint8) for _ in range(buffers)],
        Numbered(keeps_buffer, device),
        device,
    )
    return Machine(device, source, layers)


def overlapping(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


SHAPES = st.integers(3, 30).flatmap(
    lambda layers: st.tuples(
        st.just(layers),
        st.integers(2, min(4, layers - 1)).flatmap(
            lambda buffers: st.tuples(st.just(buffers), st.integers(0, layers - buffers - 1))
        ),
    )
)


@given(SHAPES, st.floats(0.1, 10), st.floats(0.1, 10), st.booleans(), st.integers(1, 3))
def test_every_pass_computes_every_layer_from_its_own_bytes_in_order(
    shape: tuple[int, tuple[int, int]],
    copy_s: float,
    compute_s: float,
    keeps_buffer: bool,
    passes: int,
) -> None:
    layers, (buffers, resident) = shape
    made = machine(layers, resident, buffers, copy_s, compute_s, keeps_buffer)
    for _ in range(passes):
        assert made.run() == list(range(layers))
    by_buffer: dict[int, list[Span]] = {}
    for span in made.device.copies:
        by_buffer.setdefault(span.buffer, []).append(span)
    assert len(by_buffer) == buffers
    for use in made.device.computed:
        if use.buffer not in by_buffer:
            continue  # a resident layer, or one multiplied out
        # The last copy into its buffer was over when it began, and brought this layer ...
        before = [span for span in by_buffer[use.buffer] if span.end <= use.start]
        assert before[-1].layer == use.layer
        # ... and no other began before it ended.
        assert not [span for span in by_buffer[use.buffer] if overlapping(span, use)]


@given(SHAPES, st.floats(0.1, 10), st.floats(0.1, 10))
def test_passes_take_as_long_as_the_slower_of_copying_and_computing(
    shape: tuple[int, tuple[int, int]], copy_s: float, compute_s: float
) -> None:
    """All layers travel: with residents the order of short and long stretches matters too."""
    layers, (buffers, _) = shape
    made = machine(layers, 0, buffers, copy_s, compute_s)
    made.run()
    first = made.device.computing_until
    made.run()
    taken = made.device.computing_until - first
    # Two buffers: one may wait for the other once a layer, but never for both.
    assert taken <= layers * max(copy_s, compute_s) + min(copy_s, compute_s) + 1e-6


def test_next_layer_starts_to_arrive_before_this_one_is_computed() -> None:
    made = machine(layers=6)
    made.run()
    arrival = {span.layer: span for span in reversed(made.device.copies)}
    computed = {span.layer: span for span in made.device.computed}
    for layer, following in pairwise(range(6)):
        assert arrival[following].start < computed[layer].end


def test_first_layers_of_the_next_pass_arrive_during_this_one() -> None:
    """A query then starts at once instead of waiting for the bus."""
    made = machine(layers=6)
    made.run()
    made.device.finish()
    assert [span.layer for span in made.device.copies] == [0, 1, 2, 3, 4, 5, 0, 1]
    before = made.device.computing_until
    made.run()
    assert made.device.computed[6].start == before


def test_layer_multiplied_out_on_arrival_frees_its_buffer_at_once() -> None:
    """With int8 the next copy need not wait for the computing."""
    made = machine(layers=6, copy_s=1.0, compute_s=10.0, keeps_buffer=False)
    made.run()
    unpacked, computed = made.device.computed[:2]
    assert unpacked.end == computed.start
    assert made.device.copies[2].start == unpacked.end < computed.end


def test_resident_layers_do_not_travel() -> None:
    made = machine(layers=8, resident=4)
    made.run()
    assert {span.layer for span in made.device.copies} == {0, 2, 4, 6}


@pytest.mark.parametrize("given_up_at", range(8))
@pytest.mark.parametrize("keeps_buffer", [True, False])
def test_pass_given_up_leaves_the_next_one_right(given_up_at: int, keeps_buffer: bool) -> None:
    """Out of memory in the middle of a pass: the halved batch starts from the first layer."""
    made = machine(layers=8, resident=2, keeps_buffer=keeps_buffer)
    with pytest.raises(torch.OutOfMemoryError):
        made.run(give_up_at=given_up_at)
    assert made.run() == list(range(8))
    assert made.run() == list(range(8))


@pytest.mark.parametrize("fail_at", range(2, 10))
def test_failed_copy_is_reported_and_does_not_poison_the_next_pass(fail_at: int) -> None:
    made = machine(layers=8)
    made.device.fail_at = fail_at

    def two_passes() -> None:
        made.run()
        made.run()

    with pytest.raises(RuntimeError, match="illegal memory access"):
        two_passes()
    assert made.run() == list(range(8))


def test_close_waits_for_copies_under_way_and_lets_the_buffers_go() -> None:
    made = machine()
    made.source.close()
    assert made.device.closed
    assert made.device.computing_until >= made.device.copies[-1].end
    assert list(made.source.stream()) == []
