"""A BERT cross-encoder on the CPU through the embedder's ONNX graph, without torch.

The graph gives the final state of each pair's first token; the head that follows, a dense layer
with tanh and one output, is so small that numpy computes it.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from indexer.embedding.checkpoint import Checkpoint
from indexer.embedding.onnx.bert_config import name_prefix, read_config
from indexer.embedding.onnx.bert_inputs import SECOND_TEXT
from indexer.embedding.onnx.encoder import reason_against
from indexer.embedding.opening import open_runtime
from indexer.embedding.spec import ModelSpec
from indexer.embedding.wishes import Wishes
from indexer.errors import ModelError
from indexer.reranking.base import Scores
from indexer.reranking.pairs import PairModel
from indexer.reranking.spec import RerankerSpec
from indexer.types import Pooling

if TYPE_CHECKING:
    import tokenizers


class OnnxPairs(PairModel):
    """A BERT with one output; fp32 or int8."""

    def __init__(
        self, spec: RerankerSpec, wishes: Wishes, cache_folder: Path | None = None
    ) -> None:
        """Load it; see `open_cross_encoder`. The wishes name placement, precision and engine."""
        encoder = encoder_spec(spec)
        hidden = encoder.hidden_size
        checkpoint = Checkpoint(spec.folder)
        prefix = name_prefix(checkpoint)
        self._words = checkpoint.shape(f"{prefix}embeddings.word_embeddings.weight")[0]
        self._kinds = checkpoint.shape(f"{prefix}embeddings.token_type_embeddings.weight")[0]
        self._dense = checkpoint.tensor(f"{prefix}pooler.dense.weight", (hidden, hidden))
        self._dense_bias = checkpoint.tensor(f"{prefix}pooler.dense.bias", (hidden,))
        self._output = checkpoint.tensor("classifier.weight", (1, hidden))[0]
        self._output_bias = checkpoint.tensor("classifier.bias", (1,))[0]
        self._runtime = open_runtime(encoder, wishes, cache_folder)
        self.mode = self._runtime.mode
        self._lock = threading.Lock()

    def batch_size(self, lengths: Sequence[int]) -> int:
        """See `PairModel.batch_size`."""
        return self._runtime.batch_size(lengths)

    def logits(self, pairs: "Sequence[tokenizers.Encoding]") -> Scores:
        """See `PairModel.logits`."""
        batch = [self._ids(pair) for pair in pairs]
        with self._lock:
            states = self._runtime.embed_tokens(batch)
        pooled = np.tanh(states @ self._dense.T + self._dense_bias)
        logits: Scores = (pooled @ self._output + self._output_bias).astype(np.float32)
        return logits

    def _ids(self, pair: "tokenizers.Encoding") -> list[int]:
        """Ids as `BertEncoder` takes those of pairs."""
        if max(pair.ids) >= self._words:
            raise ModelError(
                f"Token {max(pair.ids)} is beyond the {self._words} words of the model: its "
                "tokenizer.json is not the model's. Fetch the model again."
            )
        if self._kinds < 2:
            return pair.ids
        kinds = zip(pair.ids, pair.type_ids, strict=True)
        return [id_ + SECOND_TEXT * (kind > 0) for id_, kind in kinds]

    def close(self) -> None:
        """See `PairModel.close`."""
        with self._lock:
            self._runtime.close()


def encoder_spec(spec: RerankerSpec) -> ModelSpec:
    """The model without its head.

    Raises:
        ModelError: config.json names no sizes.
    """
    return spec.encoder(Pooling.CLS, read_config(spec.folder).hidden)


def can_run(spec: RerankerSpec) -> bool:
    """Whether this is a BERT that the graph can be built for, with the head that is known here."""
    return spec.architecture == "bert" and reason_against(encoder_spec(spec)) is None
