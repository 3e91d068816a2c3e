"""The embedding table: on the device, or in the mapped file when the device is small."""

from typing import TYPE_CHECKING

from indexer.embedding.runtimes.packed.batch import PackedBatch
from indexer.errors import ModelError

if TYPE_CHECKING:
    import torch


class TokenTable:
    """Token ids to first states."""

    def __init__(
        self, table: "torch.Tensor", device: str, dtype: "torch.dtype", on_device: bool
    ) -> None:
        """Keep the table.

        Args:
            table: shape (vocabulary, hidden), mapped from the checkpoint.
            device: where states are wanted.
            dtype: of the states.
            on_device: copy the table there; else only the rows of a batch travel.
        """
        self._device = device
        self._dtype = dtype
        self._vocabulary = len(table)
        self._on_host = None if on_device else table
        self._table = table.to(device, dtype) if on_device else None

    def check(self, batch: PackedBatch) -> None:
        """Refuse ids beyond the table: on a GPU they would end the whole process's CUDA context.

        Raises:
            ModelError: the tokenizer gives ids the model does not have.
        """
        smallest, largest = (int(bound) for bound in batch.ids.aminmax())
        if smallest < 0 or largest >= self._vocabulary:
            raise ModelError(
                f"Token id {smallest if smallest < 0 else largest}: the model's table has "
                f"{self._vocabulary} rows. tokenizer.json belongs to another model: fetch it again."
            )

    def states(self, host: PackedBatch, here: PackedBatch) -> "torch.Tensor":
        """First states of a batch's tokens, shape (tokens, hidden), on the device, freshly made.

        Args:
            host: the batch in RAM.
            here: the same batch on the device.
        """
        from torch.nn.functional import embedding

        if self._table is not None:
            return embedding(here.ids, self._table)
        assert self._on_host is not None
        rows = self._on_host.index_select(0, host.ids).to(self._dtype)
        if self._device == "cpu":
            return rows
        return rows.pin_memory().to(self._device, non_blocking=True)

    def close(self) -> None:
        """Let the table go."""
        self._table = self._on_host = None
