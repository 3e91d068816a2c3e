"""Cross-encoders: sequence classification models that give one number for a pair of texts.

The scores are those of `sentence_transformers.CrossEncoder`: the same cut, the same limits, and the
scaling that the model's folder names (plain logits for the ms-marco models, else the sigmoid).
"""

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.embedding.batching import by_length, padded_batch_size
from indexer.embedding.model_folder import read_json
from indexer.embedding.runtimes.base import default_batch_tokens
from indexer.embedding.runtimes.whole import quiet
from indexer.embedding.tokenizer import load_encoder, whole_text
from indexer.embedding.wishes import Wishes
from indexer.errors import ModelError, PlacementError
from indexer.modes import Mode, Placement, Precision
from indexer.reranking.base import Reranker, Scores, refuse_instruction, sigmoid
from indexer.reranking.spec import RerankerSpec

if TYPE_CHECKING:
    import tokenizers

_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory", re.IGNORECASE)


class CrossEncoder(Reranker):
    """A cross-encoder in this process. Threads may share it: one batch at a time is computed."""

    takes_instruction = False

    def __init__(self, spec: RerankerSpec, wishes: Wishes | None = None) -> None:
        """Load the model, in fp32.

        Args:
            spec: of a cross-encoder.
            wishes: placement gpu puts it on the GPU; with anything else it runs on the CPU.

        Raises:
            ModelError: transformers does not take the model, or the folder asks for a scaling that
                is not known.
            PlacementError: there is no such GPU.
        """
        wishes = wishes or Wishes()
        self.spec = spec
        self.max_tokens = spec.max_tokens
        self._is_scaled = _is_scaled(spec.folder)
        placement = Placement.GPU if wishes.placement is Placement.GPU else Placement.CPU
        self.mode = Mode(placement, Precision.FP32)
        self._device = _device(placement, wishes)
        self._max_batch_tokens = wishes.max_batch_tokens or default_batch_tokens(placement)
        self._encoder = _encoder(spec)
        self._around = self._encoder.num_special_tokens_to_add(is_pair=True)
        self._model = _load(spec).to(self._device)
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """See `Reranker.name`."""
        return self.spec.model

    def scores(self, query: str, texts: Sequence[str], instruction: str | None = None) -> Scores:
        """See `Reranker.scores`."""
        logits = self.logits(query, texts, instruction)
        return sigmoid(logits) if self._is_scaled else logits

    def logits(self, query: str, texts: Sequence[str], instruction: str | None = None) -> Scores:
        """See `Reranker.logits`."""
        refuse_instruction(self.name, instruction)
        pairs = self._encoder.encode_batch([(whole_text(query), whole_text(t)) for t in texts])
        lengths = [len(pair.ids) for pair in pairs]
        order = by_length(lengths)
        logits = np.empty(len(pairs), dtype=np.float32)
        start = 0
        while start < len(order):
            ahead = [lengths[row] for row in order[start:]]
            rows = order[start : start + padded_batch_size(ahead, self._max_batch_tokens)]
            logits[rows] = self._forward([pairs[row] for row in rows])
            start += len(rows)
        if not np.isfinite(logits).all():
            raise ModelError(
                f"{self.name} gave NaN or infinity. The weights are probably damaged: fetch the "
                "model again."
            )
        return logits

    def token_counts(
        self, query: str, texts: Sequence[str], instruction: str | None = None
    ) -> list[int]:
        """See `Reranker.token_counts`."""
        refuse_instruction(self.name, instruction)
        around = self._around + len(self._bare([query])[0])
        return [around + len(ids) for ids in self._bare(texts)]

    def _bare(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text, uncut: what overflows is counted too."""
        whole = [whole_text(text) for text in texts]
        found = self._encoder.encode_batch(whole, add_special_tokens=False)
        return [[*item.ids, *(i for more in item.overflowing for i in more.ids)] for item in found]

    def _forward(self, pairs: "Sequence[tokenizers.Encoding]") -> Scores:
        """Logits of one batch, shape (n,)."""
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
                f"{self.name}. Free memory, or lower SEMSEARCH_BATCH_TOKENS."
            ) from error
        return found

    def _pad_id(self) -> int:
        """Models with positions of their own find padding by it."""
        pad_id = getattr(self._model.config, "pad_token_id", None)
        return pad_id if isinstance(pad_id, int) and pad_id >= 0 else 0

    def close(self) -> None:
        """See `Reranker.close`."""
        with self._lock:
            self._model = None


def _is_scaled(folder: Path) -> bool:
    """Whether scores are the sigmoid of the logits, by the rules of sentence-transformers.

    Raises:
        ModelError: the folder names another function.
    """
    config = read_json(folder / "config.json")
    path = folder / "config_sentence_transformers.json"
    own = read_json(path) if path.is_file() else {}
    inner = config.get("sentence_transformers")
    named = (
        own.get("activation_fn")
        or (inner.get("activation_fn") if isinstance(inner, dict) else None)
        or config.get("sbert_ce_default_activation_function")
        or "Sigmoid"
    )
    name = str(named).rpartition(".")[2]
    if name not in ("Sigmoid", "Identity"):
        raise ModelError(
            f"{folder}: scales its scores with {str(named)[:80]!r}; Sigmoid and Identity are "
            "supported. Choose another model."
        )
    return name == "Sigmoid"


def _encoder(spec: RerankerSpec) -> "tokenizers.Tokenizer":
    encoder = load_encoder(spec.folder, spec.lower_case)
    if encoder.num_special_tokens_to_add(is_pair=True) >= spec.max_tokens:
        raise ModelError(f"{spec.folder}: {spec.max_tokens} tokens leave no room for texts.")
    encoder.enable_truncation(spec.max_tokens, strategy="longest_first")
    return encoder


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
