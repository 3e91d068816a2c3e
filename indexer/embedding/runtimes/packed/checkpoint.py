"""The weights on disk: memory-mapped safetensors, fused into flat layers one at a time.

Mapped pages belong to the system's file cache, so loading needs no second copy of the model.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.embedding.model_folder import weight_files
from indexer.embedding.qwen3_config import Qwen3Config
from indexer.embedding.runtimes.packed.layout import LayerLayout, LayerStream
from indexer.errors import ModelError

if TYPE_CHECKING:
    import torch

_PREFIXES = ("", "model.")  # as the embedding models are published, and as causal ones are saved


class Checkpoint:
    """The safetensors of a Qwen3 folder, opened and checked when read."""

    def __init__(self, folder: Path, config: Qwen3Config) -> None:
        """Map the files.

        Raises:
            ModelError: a file cannot be read, or holds no Qwen3 model.
        """
        from safetensors import SafetensorError, safe_open

        self.config = config
        self.layout = LayerLayout(config)
        self._folder = folder
        self._files: dict[str, Any] = {}  # tensor name -> open file
        try:
            for path in weight_files(folder):
                file: Any = safe_open(path, framework="pt")
                self._files |= dict.fromkeys(file.keys(), file)
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"{folder}: its weights cannot be read ({error}). Fetch the model again."
            ) from error
        found = [p for p in _PREFIXES if f"{p}embed_tokens.weight" in self._files]
        if not found:
            raise self._missing("embed_tokens.weight")
        self._prefix = found[0]

    def embedding(self) -> "torch.Tensor":
        """The token table, shape (vocabulary, hidden), in the checkpoint's format, mapped."""
        table = self._read("embed_tokens.weight", None)
        if table.ndim != 2 or table.shape[1] != self.config.hidden:
            raise self._misshapen("embed_tokens.weight", table, ("any", self.config.hidden))
        return table

    def final_norm(self) -> "torch.Tensor":
        """Gains of the last norm, shape (hidden,)."""
        return self._read("norm.weight", (self.config.hidden,))

    def fill(self, index: int, flat: "torch.Tensor") -> None:
        """Write a layer, fused, into a flat buffer of `layout.size` values of any float type.

        Raises:
            ModelError: a tensor is missing, has another shape or is no half or single float.
        """
        config, layout = self.config, self.layout
        layer = f"layers.{index}."
        hidden, head = config.hidden, (config.head_dim,)
        heads = (("self_attn.q_norm", config.heads), ("self_attn.k_norm", config.kv_heads))
        sources: dict[str, list[tuple[str, tuple[int, ...]]]] = {
            "input_norm": [("input_layernorm", (hidden,))],
            "qkv": [
                ("self_attn.q_proj", (config.query_size, hidden)),
                ("self_attn.k_proj", (config.key_size, hidden)),
                ("self_attn.v_proj", (config.key_size, hidden)),
            ],
            "out": [("self_attn.o_proj", (hidden, config.query_size))],
            "post_norm": [("post_attention_layernorm", (hidden,))],
            "gate_up": [
                ("mlp.gate_proj", (config.intermediate, hidden)),
                ("mlp.up_proj", (config.intermediate, hidden)),
            ],
            "down": [("mlp.down_proj", (hidden, config.intermediate))],
        }
        for name, parts in sources.items():
            row, target = 0, layout.view(flat, name)
            for part, shape in parts:
                target[row : row + shape[0]].copy_(self._read(f"{layer}{part}.weight", shape))
                row += shape[0]
        row, gains = 0, layout.view(flat, "qk_gain")
        for part, count in heads:  # one gain vector, the same for all heads of its kind
            gains[row : row + count].copy_(
                self._read(f"{layer}{part}.weight", head).expand(count, -1)
            )
            row += count

    def layers(self, dtype: "torch.dtype") -> LayerStream:
        """Every layer in turn in one buffer in RAM: a whole forward with one layer's memory."""
        import torch

        flat = torch.zeros(self.layout.size, dtype=dtype)
        for index in range(self.config.layers):
            self.fill(index, flat)
            yield self.layout.views(flat)

    def _read(self, name: str, shape: tuple[int, ...] | None) -> "torch.Tensor":
        import torch
        from safetensors import SafetensorError

        name = self._prefix + name
        if name not in self._files:
            raise self._missing(name)
        try:
            tensor: torch.Tensor = self._files[name].get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"{self._folder}: {name} cannot be read ({error}). Fetch the model again."
            ) from error
        if shape is not None and tuple(tensor.shape) != shape:
            raise self._misshapen(name, tensor, shape)
        if tensor.dtype not in (torch.float32, torch.bfloat16, torch.float16):
            raise ModelError(
                f"{self._folder}: {name} is {tensor.dtype}; the packed forward reads float32, "
                "bfloat16 and float16. Take the unquantised model."
            )
        return tensor

    def _missing(self, name: str) -> ModelError:
        return ModelError(f"{self._folder}: its weights lack {name}. Fetch the model again.")

    def _misshapen(
        self, name: str, tensor: "torch.Tensor", shape: tuple[object, ...]
    ) -> ModelError:
        return ModelError(
            f"{self._folder}: {name} has shape {tuple(tensor.shape)}, config.json says "
            f"{shape}. Fetch the model again."
        )
