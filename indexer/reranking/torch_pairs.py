"""The transformer of a cross-encoder through transformers, on the CPU or a GPU."""

import re
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.embedding.batching import padded_batch_size
from indexer.embedding.runtimes.base import default_batch_tokens
from indexer.embedding.runtimes.whole import quiet
from indexer.embedding.wishes import Wishes
from indexer.errors import ModelError, PlacementError
from indexer.modes import Mode, Placement, Precision
from indexer.reranking.base import Scores
from indexer.reranking.pairs import PairModel
from indexer.reranking.spec import RerankerSpec

if TYPE_CHECKING:
    import tokenizers

_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory", re.IGNORECASE)


class TorchPairs(PairModel):
    """A sequence classification model of transformers, in fp32."""

    def __init__(self, spec: RerankerSpec, wishes: Wishes) -> None:
        """Load it; see `open_cross_encoder`."""
        placement = Placement.GPU if wishes.placement is Placement.GPU else Placement.CPU
        self.mode = Mode(placement, Precision.FP32)
        self._name = spec.model
        self._device = _device(placement, wishes)
        self._max_batch_tokens = wishes.max_batch_tokens or default_batch_tokens(placement)
        self._model = _load(spec).to(self._device)
        self._lock = threading.Lock()

    def batch_size(self, lengths: Sequence[int]) -> int:
        """See `PairModel.batch_size`."""
        return padded_batch_size(lengths, self._max_batch_tokens)

    def logits(self, pairs: "Sequence[tokenizers.Encoding]") -> Scores:
        """See `PairModel.logits`."""
        import torch

        longest = max(len(pair.ids) for pair in pairs)
        ids = np.full((len(pairs), longest), self._pad_id(), dtype=np.int64)
        kinds, mask = np.zeros_like(ids), np.zeros_like(ids)
        for row, pair in enumerate(pairs):
            length = len(pair.ids)
            ids[row, :length], kinds[row, :length], mask[row, :length] = pair.ids, pair.type_ids, 1
        inputs = {"input_ids": ids, "attention_mask": mask}
        if getattr(self._model.config, "type_vocab_size", 0) > 1:
            inputs["token_type_ids"] = kinds
        try:
            with self._lock, torch.inference_mode():
                on_device = {k: torch.from_numpy(v).to(self._device) for k, v in inputs.items()}
                logits = self._model(**on_device).logits
                found: Scores = logits[:, 0].float().cpu().numpy()
        except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
            if isinstance(error, RuntimeError) and not _MEMORY.search(str(error)):
                raise
            raise PlacementError(
                f"Out of memory reranking {len(pairs)} texts of up to {longest} tokens with "
                f"{self._name}. Free memory, or lower SEMSEARCH_BATCH_TOKENS."
            ) from error
        return found

    def _pad_id(self) -> int:
        """Models with positions of their own find padding by it."""
        pad_id = getattr(self._model.config, "pad_token_id", None)
        return pad_id if isinstance(pad_id, int) and pad_id >= 0 else 0

    def close(self) -> None:
        """See `PairModel.close`."""
        with self._lock:
            self._model = None


def _device(placement: Placement, wishes: Wishes) -> str:
    import torch

    if placement is Placement.CPU:
        if wishes.threads is not None:
            torch.set_num_threads(wishes.threads)
        return "cpu"
    if not torch.cuda.is_available():
        raise PlacementError(
            f"Placement gpu: torch {torch.__version__} sees no CUDA device. Use placement cpu."
        )
    return wishes.device or "cuda"


def _load(spec: RerankerSpec) -> Any:
    """The model of transformers in fp32, from safetensors only, without code from the folder."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification

    try:
        with quiet():
            model, report = AutoModelForSequenceClassification.from_pretrained(
                spec.folder,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        raise ModelError(
            f"{spec.folder}: transformers cannot load it as {spec.architecture} ({error})."
        ) from error
    missing = [*report["missing_keys"], *(str(e[0]) for e in report.get("mismatched_keys", ()))]
    if missing:
        # transformers fills them with random numbers and only warns.
        raise ModelError(
            f"{spec.folder}: {len(missing)} tensors are missing or of another shape "
            f"({', '.join(sorted(missing)[:3])} ...). Fetch the model again."
        )
    return model.eval().requires_grad_(False)
