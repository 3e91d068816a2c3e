"""Offload of any transformers architecture whose weights do not fit into RAM: the rest on disk.

Modules that fit stay on the device, then in RAM; the others are read from the checkpoint each time
they are called, for every batch. Slow, but it runs. Nothing is ever loaded whole: transformers
puts each tensor straight into its place. Needs the extra `offload`.
"""

from tempfile import TemporaryDirectory
from typing import Any

from indexer.embedding.runtimes.accelerated import ACTIVATIONS_SHARE, check_installed
from indexer.embedding.runtimes.base import DiskRoom
from indexer.embedding.runtimes.whole import WholeModel, check_architecture, load
from indexer.embedding.spec import ModelSpec
from indexer.errors import PlacementError
from indexer.modes import Placement, Precision


class DiskModel(WholeModel):
    """A transformers model of which some modules stay on disk until they are called."""

    def __init__(
        self,
        spec: ModelSpec,
        device: str,
        precision: Precision,
        room: DiskRoom,
        max_batch_tokens: int | None = None,
        vram_bytes: int = 0,
    ) -> None:
        """Place the modules and load those that stay.

        Args:
            spec: the model.
            device: where modules compute: a CUDA device, or "cpu" to try it without one.
            precision: fp32, bf16 or fp16.
            room: in RAM and on disk.
            max_batch_tokens: padded tokens in one batch.
            vram_bytes: memory of the device to use; modules that fit into half of it stay there.

        Raises:
            ModelError: see `WholeModel`.
            PlacementError: accelerate is not installed, or the folder cannot be written.
        """
        check_installed()
        self._room = room
        self._vram_bytes = int(vram_bytes * ACTIVATIONS_SHARE)
        try:
            room.folder.mkdir(parents=True, exist_ok=True)
            self._folder = TemporaryDirectory(prefix="offload-", dir=room.folder)
        except OSError as error:
            raise PlacementError(
                f"{room.folder}: no folder for offloaded weights can be made "
                f"({error.strerror or error}). Free space there, or use placement cpu."
            ) from error
        try:
            super().__init__(spec, device, precision, max_batch_tokens)
        except BaseException:
            self._folder.cleanup()
            raise
        self.placement = Placement.OFFLOAD

    def release_memory(self) -> None:
        """See `Runtime.release_memory`."""
        if self._device != "cpu":
            import torch

            torch.cuda.empty_cache()

    def close(self) -> None:
        """See `Runtime.close`."""
        super().close()
        self._folder.cleanup()

    def _open(self) -> Any:
        limits: dict[int | str, int] = {"cpu": self._room.ram_bytes}
        if self._device != "cpu":
            import torch

            limits = {torch.device(self._device).index or 0: self._vram_bytes, **limits}
        places = module_places(self._spec, self.precision, limits)
        return load(
            self._spec,
            self.precision,
            device_map=places,
            offload_folder=self._folder.name,
            offload_buffers=True,
        )

    def _open_exact(self) -> WholeModel:
        return DiskModel(self._spec, "cpu", Precision.FP32, self._room)


def module_places(
    spec: ModelSpec, precision: Precision, limits: dict[int | str, int]
) -> dict[str, int | str]:
    """{module: index of a CUDA device, "cpu" or "disk"}, in the order of the limits in bytes.

    Raises:
        ModelError: transformers does not know the architecture.
    """
    import torch
    from accelerate import infer_auto_device_map
    from transformers import AutoConfig, AutoModel

    check_architecture(spec)
    config = AutoConfig.from_pretrained(
        spec.transformer_folder, trust_remote_code=False, local_files_only=True
    )
    with torch.device("meta"):  # shapes alone: nothing is read
        empty = AutoModel.from_config(config)  # type: ignore[no-untyped-call]  # of transformers
    dtype = torch.float32 if precision is Precision.FP32 else torch.float16  # by their size only
    whole = list(getattr(empty, "_no_split_modules", None) or [])
    places: dict[str, int | str] = infer_auto_device_map(
        empty, max_memory=limits, no_split_module_classes=whole, dtype=dtype
    )
    if set(places.values()) == {"disk"}:
        # transformers wants at least one module elsewhere: the first, often the table.
        places = {name: "disk" for name, _ in empty.named_children()}
        places[next(iter(places))] = "cpu"
    return places
