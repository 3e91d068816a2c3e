"""Measure one layer, plan for all, put each where the plan wants it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.embedding.runtimes.packed.attention import Attend
from indexer.embedding.runtimes.packed.budget import FULL_TOKENS, Sizes, StreamPlan, plan_stream
from indexer.embedding.runtimes.packed.checkpoint import Checkpoint
from indexer.embedding.runtimes.packed.copies import Copies
from indexer.embedding.runtimes.packed.forms import Form
from indexer.embedding.runtimes.packed.loading import LayerLoader
from indexer.embedding.runtimes.packed.measure import measure_memory, measure_rates
from indexer.embedding.runtimes.packed.resident import ResidentLayers
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
        weights = self.form.unpack(self.loader().load_to(0, self.device))
        target = self.buffer(self.device)
        source = self.buffer("cpu")
        self.copies.pin(source)
        tokens = min(max_tokens or FULL_TOKENS, FULL_TOKENS)
        memory = measure_memory(weights, config, self.attend, tokens)
        rates = measure_rates(weights, config, self.attend, self.copies, source, target, tokens)
        self.copies.close()
        working = 0 if self.form.keeps_buffer else layout.size * self.dtype.itemsize
        sizes = Sizes(
            fixed=memory.workspace_bytes + working,
            layer=self.form.size_bytes,
            buffer=self.form.size_bytes,
            token=memory.token_bytes,
        )
        return plan_stream(config.layers, vram_bytes, sizes, rates, max_tokens)

    def source(self, plan: StreamPlan) -> ResidentLayers | StreamedLayers:
        """The layers where the plan wants them."""
        import torch

        layers, loader = self.checkpoint.config.layers, self.loader()
        if plan.resident == layers:
            every = (loader.load_to(index, self.device) for index in range(layers))
            return ResidentLayers(every, self.form)
        staying = spread(plan.resident, layers)
        travelling = [index for index in range(layers) if index not in staying]
        size = self.form.size_bytes
        # One block: pinned at once, and without a rest to each layer.
        packed = torch.zeros(len(travelling) * size, dtype=torch.uint8)
        rows = dict(zip(travelling, torch.split(packed, size), strict=True))
        for index, row in rows.items():
            loader.load(index, row)
        self.copies.pin(packed)
        return StreamedLayers(
            {index: loader.load_to(index, self.device) for index in staying},
            rows,
            [self.buffer(self.device) for _ in range(plan.buffers)],
            self.form,
            self.copies,
        )

    def loader(self) -> LayerLoader:
        """What reads the layers."""
        return LayerLoader(self.checkpoint, self.form, self.dtype)

    def buffer(self, device: str) -> "torch.Tensor":
        """An empty travelling layer."""
        import torch

        return torch.zeros(self.form.size_bytes, dtype=torch.uint8, device=device)
