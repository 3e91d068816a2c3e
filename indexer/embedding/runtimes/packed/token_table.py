"""The embedding table: on the device, whole or in int8, or in the mapped file."""

from typing import TYPE_CHECKING

from indexer.embedding.runtimes.packed.batch import PackedBatch
from indexer.embedding.runtimes.packed.rounding import Int8Rows, Rounded
from indexer.errors import ModelError

if TYPE_CHECKING:
    import torch

_BLOCK_ROWS = 8192  # rounded at once: RAM never holds the table in float32


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


class RoundedTable(TokenTable):
    """The table on the device in int8, a scale for each token: half the bytes of bfloat16.

    Rounded once and never summed, it costs far less than the layers do: cosine above 0.9999.
    """

    def __init__(self, table: "torch.Tensor", device: str, dtype: "torch.dtype") -> None:
        """Round a table of shape (vocabulary, hidden), mapped from the checkpoint, to a device."""
        import torch

        super().__init__(table, device, dtype, on_device=False)
        self._on_host = None
        rounding, (rows, columns) = Int8Rows(), table.shape
        size = rounding.size_bytes(rows, columns)
        whole = rounding.view(torch.zeros(size, dtype=torch.uint8, device=device), rows, columns)
        for start in range(0, rows, _BLOCK_ROWS):
            part = table[start : start + _BLOCK_ROWS]
            buffer = torch.zeros(rounding.size_bytes(len(part), columns), dtype=torch.uint8)
            block = rounding.view(buffer, len(part), columns)
            rounding.round(part, block)
            whole.values[start : start + len(part)].copy_(block.values)
            whole.scales[start : start + len(part)].copy_(block.scales)
        self._rounded: Rounded | None = whole

    def states(self, host: PackedBatch, here: PackedBatch) -> "torch.Tensor":
        """See `TokenTable.states`."""
        import torch

        del host
        assert self._rounded is not None
        values = self._rounded.values.index_select(0, here.ids)
        scales = self._rounded.scales.index_select(0, here.ids)
        found = torch.empty(values.shape, dtype=self._dtype, device=values.device)
        return torch.mul(values, scales, out=found)

    def close(self) -> None:
        """See `TokenTable.close`."""
        self._rounded = None
