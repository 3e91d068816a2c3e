"""Cross-encoders: sequence classification models that give one number for a pair of texts.

The scores are those of `sentence_transformers.CrossEncoder`: the same cut, the same limits, and the
scaling that the model's folder names (plain logits for the ms-marco models, else the sigmoid).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from indexer.embedding.batching import by_length
from indexer.embedding.model_folder import read_json
from indexer.embedding.tokenizer import load_encoder, whole_text
from indexer.embedding.wishes import Engine, Wishes
from indexer.errors import ModelError
from indexer.modes import Mode, Placement, Precision
from indexer.reranking.base import Reranker, Scores, refuse_instruction, sigmoid
from indexer.reranking.pairs import PairModel
from indexer.reranking.spec import RerankerSpec

if TYPE_CHECKING:
    import tokenizers


class CrossEncoder(Reranker):
    """A cross-encoder in this process. Threads may share it: one batch at a time is computed."""

    takes_instruction = False

    def __init__(self, spec: RerankerSpec, model: PairModel) -> None:
        """See `open_cross_encoder`.

        Raises:
            ModelError: the folder asks for a scaling that is not known, or has no usable tokenizer.
        """
        self.spec = spec
        self.max_tokens = spec.max_tokens
        self.model = model
        self._is_scaled = _is_scaled(spec.folder)
        self._encoder = _encoder(spec)
        self._around = self._encoder.num_special_tokens_to_add(is_pair=True)

    @property
    def mode(self) -> Mode:
        """Where and in which precision the model runs."""
        return self.model.mode

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
            rows = order[start : start + self.model.batch_size(ahead)]
            logits[rows] = self.model.logits([pairs[row] for row in rows])
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

    def close(self) -> None:
        """See `Reranker.close`."""
        self.model.close()


def open_cross_encoder(
    spec: RerankerSpec, wishes: Wishes | None = None, cache_folder: Path | None = None
) -> CrossEncoder:
    """The model, loaded: a BERT on the CPU through ONNX Runtime, all else through transformers.

    Args:
        spec: of a cross-encoder.
        wishes: placement gpu puts it on the GPU, anything else on the CPU; precision int8 is for
            ONNX Runtime, all others mean fp32.
        cache_folder: where prepared graphs are kept; None: they last as long as this process.

    Raises:
        ModelError: the model cannot be loaded.
        PlacementError: there is no such GPU.
    """
    wishes = wishes or Wishes()
    if wishes.placement is not Placement.GPU and wishes.engine is not Engine.TORCH:
        from indexer.reranking.onnx_pairs import OnnxPairs, can_run

        if can_run(spec):
            is_rounded = wishes.precision is Precision.INT8
            precision = Precision.INT8 if is_rounded else Precision.FP32
            on_cpu = replace(
                wishes, placement=Placement.CPU, precision=precision, engine=Engine.ONNX
            )
            return CrossEncoder(spec, OnnxPairs(spec, on_cpu, cache_folder))
    from indexer.reranking.torch_pairs import TorchPairs

    return CrossEncoder(spec, TorchPairs(spec, wishes))


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
