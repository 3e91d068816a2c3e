"""What config.json says of a Qwen3 model, and whether our own forwards can run it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.embedding.model_folder import read_json
from indexer.embedding.spec import ModelSpec
from indexer.errors import ModelError
from indexer.types import Pooling

_LARGEST = 1 << 20  # far above any width, count or vocabulary of a model


@dataclass(frozen=True, slots=True)
class Qwen3Config:
    """Sizes and constants of the model."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    eps: float  # of every RMSNorm
    theta: float  # base of the rotary frequencies

    @property
    def query_size(self) -> int:
        """Values of all query heads of a token."""
        return self.heads * self.head_dim

    @property
    def key_size(self) -> int:
        """Values of all key heads of a token, and of all value heads."""
        return self.kv_heads * self.head_dim

    @property
    def layer_flops(self) -> int:
        """Operations of one layer's matrix products for a token (2 per weight)."""
        attention = 2 * self.query_size + 2 * self.key_size
        return 2 * self.hidden * (attention + 3 * self.intermediate)

    def activation_bytes(self, value_bytes: int) -> int:
        """Memory alive per token where a layer needs most of it, see `layers.run_layer`.

        Attention holds states, QKV, its normalised copy and the rolled queries and keys; the MLP
        holds states, their norm, gate and up.
        """
        qkv = self.query_size + 2 * self.key_size
        attention = self.hidden + 2 * qkv + self.query_size + self.key_size
        mlp = 2 * self.hidden + 2 * self.intermediate
        return value_bytes * max(attention, mlp)


def reason_against(spec: ModelSpec) -> str | None:
    """Why our own forwards (packed torch, ONNX) cannot run this model; None if they can.

    Raises:
        ModelError: config.json cannot be read.
    """
    if spec.architecture != "qwen3":
        return f"its architecture is {spec.architecture}, not qwen3"
    if spec.pooling is not Pooling.LAST_TOKEN:
        return f"it pools by {spec.pooling}, not by the last token"
    config = read_json(spec.transformer_folder / "config.json")
    return _unsupported(config)


def read_config(folder: Path) -> Qwen3Config:
    """The sizes of the model whose config.json lies in `folder`.

    Raises:
        ModelError: a size is missing or impossible, or the model has a part our forwards do
            not know.
    """
    path = folder / "config.json"
    values = read_json(path)
    unsupported = _unsupported(values)
    if unsupported is not None:
        raise ModelError(f"{path}: our own forward does not run this model: {unsupported}.")
    config = Qwen3Config(
        layers=_count(values, "num_hidden_layers", path),
        hidden=_count(values, "hidden_size", path),
        heads=_count(values, "num_attention_heads", path),
        kv_heads=_count(values, "num_key_value_heads", path),
        head_dim=_count(values, "head_dim", path),
        intermediate=_count(values, "intermediate_size", path),
        eps=_positive(values.get("rms_norm_eps"), "rms_norm_eps", path),
        theta=_positive(_rope(values).get("rope_theta"), "rope_theta", path),
    )
    if config.heads % config.kv_heads or config.head_dim % 2:
        raise ModelError(
            f"{path}: {config.heads} query heads over {config.kv_heads} key heads of "
            f"{config.head_dim} values do not divide. Fetch the model again."
        )
    return config


def _unsupported(values: Mapping[str, Any]) -> str | None:
    """The first part of the model that our forwards lack."""
    kind = _rope(values).get("rope_type", "default")
    if kind != "default":
        return f"its rotary positions are scaled ({kind!r})"
    layer_types = values.get("layer_types") or ()
    if values.get("use_sliding_window") or "sliding_attention" in layer_types:
        return "its attention slides a window"
    if values.get("attention_bias"):
        return "its attention has biases"
    if values.get("hidden_act") != "silu":
        return f"its activation is {values.get('hidden_act')!r}, not 'silu'"
    if values.get("quantization_config"):
        return "its weights are quantised"
    return None


def _rope(values: Mapping[str, Any]) -> dict[str, Any]:
    """Rotary parameters under the names of transformers 5, from its form or the older one."""
    parameters = values.get("rope_parameters")
    if isinstance(parameters, dict):
        return parameters
    scaling = values.get("rope_scaling")
    scaling = scaling if isinstance(scaling, dict) else {}
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    return {"rope_type": kind, "rope_theta": values.get("rope_theta")}


def _count(values: Mapping[str, Any], name: str, path: Path) -> int:
    value = values.get(name)
    if type(value) is not int or not 0 < value <= _LARGEST:
        raise ModelError(f"{path}: {name} is {value!r:.80}, not a size. Fetch the model again.")
    return value


def _positive(value: object, name: str, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise ModelError(f"{path}: {name} is {value!r:.80}, not a number above 0.")
    return float(value)
