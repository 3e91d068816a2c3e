"""The whole model on one device through transformers: the exact baseline of all runtimes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from indexer.embedding.pooling import pool
from indexer.embedding.runtimes.base import Runtime, TokenBatch, default_batch_tokens
from indexer.embedding.spec import ModelSpec
from indexer.errors import ModelError
from indexer.modes import Placement, Precision
from indexer.types import Vectors

_CPU_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory", re.IGNORECASE)
# These count positions from the padding id and skip padding themselves.
_OWN_POSITIONS = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet"})


class WholeModel(Runtime):
    """A transformers model resident on one device."""

    def __init__(
        self,
        spec: ModelSpec,
        device: str = "cpu",
        precision: Precision = Precision.FP32,
        max_batch_tokens: int | None = None,
        pad_left: bool = False,
    ) -> None:
        """Load the weights.

        Args:
            spec: the model.
            device: "cpu" or a CUDA device ("cuda", "cuda:1").
            precision: fp32, bf16 or fp16.
            max_batch_tokens: padded tokens in one batch; None for the device's default.
            pad_left: where padding goes. Right is the default: behind the text a causal mask hides
                it by itself.

        Raises:
            ModelError: transformers does not know the architecture, or the weights do not fit it.
        """
        self.placement = Placement.CPU if device == "cpu" else Placement.GPU
        self.precision = precision
        self.hidden_size = spec.hidden_size
        default = default_batch_tokens(Placement.CPU if device == "cpu" else Placement.GPU)
        self.max_batch_tokens = max_batch_tokens or default
        self._spec = spec
        self._device = device
        self._pad_left = pad_left
        self._model = self._open()
        self._exact: WholeModel | None = None

    def forward(self, batch: TokenBatch) -> Vectors:
        """See `Runtime.forward`."""
        import torch

        with torch.inference_mode():
            ids, mask = self._pad(batch)
            states = self._model(input_ids=ids, attention_mask=mask, **self._extras(mask))
            pooled = pool(states.last_hidden_state, mask, self._spec.pooling)
            vectors: Vectors = pooled.cpu().numpy()
        if vectors.shape != (len(batch), self.hidden_size):
            raise ModelError(
                f"{self._spec.folder}: the model gives {vectors.shape[1]} values, its pooling "
                "configuration says "
                f"{self.hidden_size}. Fetch the model again."
            )
        return vectors

    def forward_fp32(self, batch: TokenBatch) -> Vectors | None:
        """See `Runtime.forward_fp32`; on the CPU, where a second, wider copy fits."""
        if self.precision is Precision.FP32:
            return None
        if self._exact is None:
            self._exact = self._open_exact()
        return self._exact.embed_tokens(batch)

    def is_out_of_memory(self, error: BaseException) -> bool:
        """On a GPU the error of torch, on the CPU its allocator's RuntimeError or MemoryError."""
        import torch

        if isinstance(error, torch.OutOfMemoryError | MemoryError):
            return True
        return isinstance(error, RuntimeError) and _CPU_MEMORY.search(str(error)) is not None

    def release_memory(self) -> None:
        """See `Runtime.release_memory`."""
        if self.placement is Placement.GPU:
            import torch

            torch.cuda.empty_cache()

    def close(self) -> None:
        """See `Runtime.close`."""
        self._model = None
        if self._exact is not None:
            self._exact.close()
        self.release_memory()

    def _open(self) -> Any:
        """The model of transformers where it runs."""
        return load(self._spec, self.precision).to(self._device)

    def _open_exact(self) -> "WholeModel":
        """The same model in fp32, on the CPU."""
        return WholeModel(self._spec)

    def _pad(self, batch: TokenBatch) -> tuple[Any, Any]:
        """(ids, mask), both int64, shape (n, longest), on the device."""
        import torch

        longest = max(len(ids) for ids in batch)
        ids = np.full((len(batch), longest), self._pad_id(), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(batch):
            place = slice(longest - len(tokens), None) if self._pad_left else slice(len(tokens))
            ids[row, place] = tokens
            mask[row, place] = 1
        return torch.from_numpy(ids).to(self._device), torch.from_numpy(mask).to(self._device)

    def _pad_id(self) -> int:
        # Which id fills the padding does not matter, but models with their own positions find
        # padding by it.
        pad_id = getattr(self._model.config, "pad_token_id", None)
        return pad_id if isinstance(pad_id, int) and pad_id >= 0 else 0

    def _extras(self, mask: Any) -> dict[str, Any]:
        """Arguments that only some architectures take."""
        extras: dict[str, Any] = {}
        if hasattr(self._model.config, "use_cache"):
            extras["use_cache"] = False  # a cache only costs memory here
        if self._pad_left and self._spec.architecture not in _OWN_POSITIONS:
            # Right padding leaves the default 0, 1, 2 ... correct; left padding would shift every
            # token.
            extras["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)
        return extras


def load(spec: ModelSpec, precision: Precision, **places: Any) -> Any:
    """The model of transformers, ready to run, its weights checked.

    Args:
        spec: the model.
        precision: fp32, bf16 or fp16.
        places: for `from_pretrained`: where modules go; none: all into RAM.

    Raises:
        ModelError: see `WholeModel`.
    """
    import torch
    from safetensors import SafetensorError

    dtype = {
        Precision.FP32: torch.float32,
        Precision.BF16: torch.bfloat16,
        Precision.FP16: torch.float16,
    }[precision]
    check_architecture(spec)
    try:
        with quiet():
            try:
                model, report = _from_folder(spec, dtype, "sdpa", places)
            except ValueError:
                # Some architectures (mpnet) have no fused attention; transformers says it so.
                model, report = _from_folder(spec, dtype, "eager", places)
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        raise ModelError(
            f"{spec.transformer_folder}: transformers cannot load it as {spec.architecture} "
            f"({error})."
        ) from error
    _check_weights(spec, report)
    return model.eval().requires_grad_(False)


def _from_folder(
    spec: ModelSpec, dtype: Any, attention: str, places: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """(model, what was missing), from safetensors only, without code from the folder."""
    from transformers import AutoModel

    model, report = AutoModel.from_pretrained(
        spec.transformer_folder,
        dtype=dtype,
        attn_implementation=attention,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
        **places,
    )
    return model, report


def check_architecture(spec: ModelSpec) -> None:
    """Refuse an architecture that transformers does not know.

    Raises:
        ModelError: names it.
    """
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    if spec.architecture not in MODEL_MAPPING_NAMES:
        raise ModelError(
            f"{spec.transformer_folder}: this transformers does not know the architecture "
            f"{spec.architecture!r}. "
            "Update transformers, or choose a model of a known architecture (qwen3, bert, "
            "xlm-roberta, modernbert ...)."
        )


def _check_weights(spec: ModelSpec, report: dict[str, Any]) -> None:
    """Refuse a model with made-up weights.

    Transformers fills what is missing with random numbers and only warns.
    """
    # The pooler head of BERT and its kin is not used: pooling happens here.
    missing = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    wrong = sorted(str(entry[0]) for entry in report.get("mismatched_keys", ()))
    if missing or wrong:
        names = ", ".join([*missing, *wrong][:3])
        raise ModelError(
            f"{spec.transformer_folder}: {len(missing)} tensors missing and {len(wrong)} of "
            f"another shape ({names} ...). "
            "Fetch the model again."
        )


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and load reports; errors still raise, and weights are checked by us."""
    import logging as levels

    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(levels.ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # of transformers
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]  # of transformers
