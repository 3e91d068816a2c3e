"""Layers kept in RAM and brought to the device one ahead of the computing.

A few arrival buffers go round: while one layer computes, the next ones arrive in the others. The
last layers' buffers are refilled with the first layers of the coming pass, so that it starts at
once. Layers that fit stay on the device; they are spread evenly, so that copies go on meanwhile.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.embedding.runtimes.packed.copies import Copies, Mark
from indexer.embedding.runtimes.packed.forms import Form
from indexer.embedding.runtimes.packed.layout import LayerStream

if TYPE_CHECKING:
    import torch


@dataclass(slots=True)
class _Slot:
    """An arrival buffer on the device."""

    buffer: "torch.Tensor"
    free: Mark  # nothing reads the buffer after this
    layer: int | None = None  # which one is in it, or on its way into it
    arrived: Mark = None


class StreamedLayers:
    """A source of layers, most of which travel. One pass at a time."""

    def __init__(
        self,
        resident: Mapping[int, "torch.Tensor"],
        travelling: Mapping[int, "torch.Tensor"],
        buffers: Sequence["torch.Tensor"],
        form: Form,
        copies: Copies,
    ) -> None:
        """Start bringing the first layers.

        Args:
            resident: packed layers on the device by index.
            travelling: packed layers in RAM by index; more of them than buffers.
            buffers: uint8, `form.size_bytes` each, on the device; at least two.
            form: how layers travel.
            copies: the way to the device.
        """
        assert 2 <= len(buffers) < len(travelling), "fewer layers than buffers: keep them resident"
        self._resident = dict(resident)
        self._travelling = dict(travelling)
        self._order = sorted(travelling)
        self._form = form
        self._copies = copies
        # The leftmost is the next to be read.
        self._slots = deque(_Slot(buffer, copies.mark()) for buffer in buffers)
        self._call_ahead()

    def stream(self) -> LayerStream:
        """See `LayerStream`."""
        self._call_ahead()
        for index in range(len(self._resident) + len(self._travelling)):
            if index in self._resident:
                yield self._form.unpack(self._resident[index])
                continue
            slot = self._slots[0]
            assert slot.layer == index
            self._copies.wait(slot.arrived)
            weights = self._form.unpack(slot.buffer)
            if not self._form.keeps_buffer:
                self._pass_on(slot)
            try:
                yield weights
            finally:
                # The computing is handed in, or given up: either way no more of it will come.
                if self._form.keeps_buffer:
                    slot.free = self._copies.mark()
            if self._form.keeps_buffer:
                self._refill(slot)

    def close(self) -> None:
        """Let all buffers go, once nothing uses them any more."""
        self._copies.close()
        self._slots.clear()
        self._resident, self._travelling = {}, {}

    def _pass_on(self, slot: _Slot) -> None:
        """The buffer is read when the work handed in so far is done: bring the next layer."""
        slot.free = self._copies.mark()
        self._refill(slot)

    def _refill(self, slot: _Slot) -> None:
        """Send the first layer that no buffer has into the one just read."""
        assert slot is self._slots[0]
        assert slot.layer is not None
        place = self._order.index(slot.layer) + len(self._slots)
        self._slots.rotate(-1)
        self._bring(slot, self._order[place % len(self._order)])

    def _call_ahead(self) -> None:
        """Have the first layers in the buffers or on their way, also after a pass given up."""
        for slot, layer in zip(self._slots, self._order, strict=False):
            if slot.layer != layer:
                self._bring(slot, layer)

    def _bring(self, slot: _Slot, layer: int) -> None:
        slot.layer = None  # should the copy fail, the buffer holds nothing
        slot.arrived = self._copies.copy(self._travelling[layer], slot.buffer, slot.free)
        slot.layer = layer


def spread(resident: int, layers: int) -> list[int]:
    """Which layers stay on the device: `resident` of `layers`, as evenly as can be."""
    return [i for i in range(layers) if (i + 1) * resident // layers > i * resident // layers]
