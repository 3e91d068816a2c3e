"""Measure one layer, plan for all, put each where the plan wants it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.embedding.runtimes.packed.attention import Attend
from indexer.embedding.runtimes.packed.budget import FULL_TOKENS, Sizes, StreamPlan, plan_stream
from indexer.embedding.runtimes.packed.checkpoint import Checkpoint
from indexer.embedding.runtimes.packed.copies import Copies
from indexer.embedding.runtimes.packed.forms import Form
from indexer.embedding.runtimes.packed.layout import LayerWeights
from indexer.embedding.runtimes.packed.measure import measure_memory, measure_rates
from indexer.embedding.runtimes.packed.resident import ResidentLayers, load_layer
from indexer.embedding.runtimes.packed.streamed import StreamedLayers, spread

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Stage:
    """One model on one device, before its layers have their places."""

    checkpoint: Checkpoint
    form: Form
    copies: Copies
    attend: Attend
    device: str
    dtype: "torch.dtype"

    def plan(self, vram_bytes: int, max_tokens: int | None) -> StreamPlan:
        """Measured with one layer, then planned for all."""
        config, layout = self.checkpoint.config, self.checkpoint.layout
        weights = self.layer(0)
        target = self.buffer(self.device)
        source = self.buffer("cpu")
        self.copies.pin(source)
        tokens = min(max_tokens or FULL_TOKENS, FULL_TOKENS)
        memory = measure_memory(weights, config, self.attend, tokens)
        rates = measure_rates(weights, config, self.attend, self.copies, source, target, tokens)
        self.copies.close()
        layer_bytes = layout.size * self.dtype.itemsize
        working = 0 if self.form.keeps_buffer else layer_bytes
        sizes = Sizes(
            fixed=memory.workspace_bytes + working,
            layer=layer_bytes,
            buffer=self.form.size_bytes,
            token=memory.token_bytes,
        )
        return plan_stream(config.layers, vram_bytes, sizes, rates, max_tokens)

    def source(self, plan: StreamPlan) -> ResidentLayers | StreamedLayers:
        """The layers where the plan wants them."""
        import torch

        layers = self.checkpoint.config.layers
        if plan.resident == layers:
            return ResidentLayers(self.layer(index) for index in range(layers))
        staying = spread(plan.resident, layers)
        travelling = [index for index in range(layers) if index not in staying]
        size = self.form.size_bytes
        # One block: pinned at once, and without a rest to each layer.
        packed = torch.zeros(len(travelling) * size, dtype=torch.uint8)
        flat = torch.zeros(self.checkpoint.layout.size, dtype=self.dtype)
        rows = dict(zip(travelling, torch.split(packed, size), strict=True))
        for index, row in rows.items():
            self.checkpoint.fill(index, flat)
            self.form.pack(flat, row)
        self.copies.pin(packed)
        return StreamedLayers(
            {index: self.layer(index) for index in staying},
            rows,
            [self.buffer(self.device) for _ in range(plan.buffers)],
            self.form,
            self.copies,
        )

    def layer(self, index: int) -> LayerWeights:
        """A layer that stays on the device."""
        return load_layer(self.checkpoint, index, self.device, self.dtype, self.form)

    def buffer(self, device: str) -> "torch.Tensor":
        """An empty travelling layer."""
        import torch

        return torch.zeros(self.form.size_bytes, dtype=torch.uint8, device=device)
