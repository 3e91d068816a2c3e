"""What config.json says of a BERT-type encoder, and whether its graph can be built."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.embedding.checkpoint import Checkpoint
from indexer.embedding.model_folder import read_json
from indexer.errors import ModelError

_PREFIXES = ("", "bert.")  # as encoders are published, and as models with a head are saved
TANH_GELU = frozenset({"gelu_new", "gelu_pytorch_tanh"})


@dataclass(frozen=True, slots=True)
class BertConfig:
    """Sizes and constants of the model."""

    layers: int
    hidden: int
    heads: int
    intermediate: int
    eps: float  # of every LayerNorm
    activation: str


def reason_against(values: dict[str, Any]) -> str | None:
    """Why this graph cannot run the BERT of this config.json; None if it can."""
    positions = values.get("position_embedding_type", "absolute")
    if positions != "absolute":
        return f"its positions are {positions!r}, not absolute"
    if values.get("is_decoder"):
        return "it is a decoder"
    activation = values.get("hidden_act")
    if activation not in {"gelu", "relu", *TANH_GELU}:
        return f"its activation is {activation!r}"
    if values.get("quantization_config"):
        return "its weights are quantised"
    return None


def read_config(folder: Path) -> BertConfig:
    """The sizes of the model whose config.json lies in `folder`.

    Raises:
        ModelError: a size is missing or impossible.
    """
    path = folder / "config.json"
    values = read_json(path)
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size")
    sizes = [values.get(name) for name in names]
    eps = values.get("layer_norm_eps", 1e-12)
    if not all(type(size) is int and size > 0 for size in sizes) or type(eps) is not float:
        raise ModelError(
            f"{path}: {', '.join(names)}, layer_norm_eps = {sizes}, {eps!r} are not a model's. "
            "Fetch the model again."
        )
    layers, hidden, heads, intermediate = (int(size) for size in sizes if size is not None)
    if hidden % heads:
        raise ModelError(f"{path}: hidden_size {hidden} does not divide into {heads} heads.")
    return BertConfig(layers, hidden, heads, intermediate, eps, str(values["hidden_act"]))


def name_prefix(checkpoint: Checkpoint) -> str:
    """What stands before the names of the encoder's tensors."""
    name = "embeddings.word_embeddings.weight"
    return next((p for p in _PREFIXES if f"{p}{name}" in checkpoint), "")
