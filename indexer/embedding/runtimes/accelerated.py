"""Layer-wise offload of any transformers architecture through accelerate.

Slower than our own streaming (accelerate copies a layer when it is needed and not before, from
memory that is not pinned), but it runs whatever transformers runs. Needs the extra `offload`.
"""

from typing import Any

from indexer.embedding.runtimes.whole import WholeModel
from indexer.embedding.spec import ModelSpec
from indexer.errors import PlacementError
from indexer.modes import Placement, Precision

# Activations and cached blocks beside the weights, as a share of the allowed memory.
ACTIVATIONS_SHARE = 0.5


class AcceleratedModel(WholeModel):
    """A transformers model whose modules travel to the device when called."""

    def __init__(
        self,
        spec: ModelSpec,
        device: str,
        precision: Precision = Precision.FP32,
        max_batch_tokens: int | None = None,
        vram_bytes: int | None = None,
    ) -> None:
        """Load the weights into RAM and hook the modules.

        Args:
            spec: the model.
            device: where modules compute: a CUDA device, or "cpu" to try the hooks without one.
            precision: fp32, bf16 or fp16.
            max_batch_tokens: padded tokens in one batch.
            vram_bytes: memory of the device to use; modules that fit into half of it stay there.
                None: every module travels.

        Raises:
            ModelError: see `WholeModel`.
            PlacementError: accelerate is not installed.
        """
        check_installed()
        super().__init__(spec, "cpu", precision, max_batch_tokens)
        self.placement = Placement.OFFLOAD
        self._device = device
        if vram_bytes is None:
            self._model = _offloaded(self._model, device)
        else:
            self._model = _dispatched(self._model, device, int(vram_bytes * ACTIVATIONS_SHARE))

    def release_memory(self) -> None:
        """See `Runtime.release_memory`."""
        if self._device != "cpu":
            import torch

            torch.cuda.empty_cache()


def check_installed() -> None:
    """Refuse where the extra `offload` is missing.

    Raises:
        PlacementError: names the command that installs it.
    """
    from importlib.util import find_spec

    if find_spec("accelerate") is None:
        raise PlacementError(
            "Placement offload for this architecture needs accelerate: "
            "pip install 'semsearch[offload]'."
        )


def _offloaded(model: Any, device: str) -> Any:
    """Every module travels."""
    from accelerate import cpu_offload

    return cpu_offload(model, device, offload_buffers=True)


def _dispatched(model: Any, device: str, weights_bytes: int) -> Any:
    """Modules stay on the device as long as they fit."""
    from accelerate import dispatch_model

    places = module_places(model, device, weights_bytes)
    if "cpu" in places.values():
        return dispatch_model(model, places, main_device=device, offload_buffers=True)
    return model.to(device)


def module_places(model: Any, device: str, weights_bytes: int) -> dict[str, Any]:
    """{module: index of the CUDA device, or "cpu" for one that travels}."""
    import torch
    from accelerate import infer_auto_device_map

    index = torch.device(device).index or 0
    # The rest of RAM is not ours to judge: the model is already in it.
    limits = {index: weights_bytes, "cpu": 1 << 50}
    whole = list(getattr(model, "_no_split_modules", None) or [])
    places: dict[str, Any] = infer_auto_device_map(
        model, max_memory=limits, no_split_module_classes=whole
    )
    return places
