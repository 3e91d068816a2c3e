"""What a model weighs: its tensors counted from the checkpoint's headers, nothing loaded."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.embedding import qwen3_config as packed
from indexer.embedding.checkpoint import Checkpoint
from indexer.embedding.model_folder import read_json
from indexer.embedding.onnx import encoder
from indexer.embedding.spec import ModelSpec
from indexer.errors import ModelError

_MOST = 1 << 20  # of any dimension or count in a configuration


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Counts that memory and speed follow from. Values are numbers, not bytes."""

    model: str
    architecture: str
    table_values: int  # token and position tables: gathered, not multiplied
    matrix_values: int  # multiplied with every token
    file_bytes: int  # of the checkpoint
    hidden: int
    inner: int  # width of the MLP
    layers: int
    tokenizer_bytes: int  # of tokenizer.json
    against_onnx: str | None = None  # why the ONNX engine cannot run it; None: it can
    against_packed: str | None = None  # the same of our own torch forward

    @property
    def values(self) -> int:
        """Norms and biases are neither large nor multiplied: not counted."""
        return self.table_values + self.matrix_values

    @property
    def layer_values(self) -> int:
        """Matrix values of one layer."""
        return self.matrix_values // max(1, self.layers)

    @property
    def file_value_bytes(self) -> int:
        """Bytes of one value in the checkpoint: 4 or 2."""
        return 4 if self.file_bytes >= 3.5 * self.values else 2


def read_size(spec: ModelSpec) -> ModelSize:
    """The size of a model on disk.

    Raises:
        ModelError: the folder holds no readable safetensors.
    """
    tables, matrices = count_weights(spec.transformer_folder)
    config = read_json(spec.transformer_folder / "config.json")
    hidden = spec.hidden_size
    tokenizer = spec.transformer_folder / "tokenizer.json"
    return ModelSize(
        model=spec.model,
        architecture=spec.architecture,
        table_values=tables,
        matrix_values=matrices,
        file_bytes=spec.weights_bytes,
        hidden=hidden,
        inner=_dimension(config, "intermediate_size", "hidden_dim") or 4 * hidden,
        layers=_dimension(config, "num_hidden_layers", "n_layers") or 12,
        tokenizer_bytes=tokenizer.stat().st_size if tokenizer.is_file() else 0,
        against_onnx=encoder.reason_against(spec),
        against_packed=packed.reason_against(spec),
    )


def _dimension(config: Mapping[str, Any], *names: str) -> int:
    """The first of these that is a believable count; else 0."""
    for name in names:
        value = config.get(name)
        if type(value) is int and 0 < value <= _MOST:
            return value
    return 0


def count_weights(folder: Path) -> tuple[int, int]:
    """(values in token and position tables, values in matrices) of the model in a folder.

    Raises:
        ModelError: no weights, or a file is damaged.
    """
    tables = matrices = 0
    checkpoint = Checkpoint(folder)
    for name in checkpoint.names:
        shape = checkpoint.shape(name)
        if len(shape) < 2:
            continue  # norms and biases
        if "embed" in name:
            tables += math.prod(shape)
        else:
            matrices += math.prod(shape)
    if not matrices:
        raise ModelError(f"{folder}: its safetensors hold no weights, so no cost can be predicted.")
    return tables, matrices
