"""Token ids -> the inputs of a BERT graph, and its output -> vectors."""

from typing import TYPE_CHECKING

import numpy as np

from indexer.embedding.checkpoint import Checkpoint
from indexer.embedding.model_folder import read_json
from indexer.embedding.onnx.bert_config import name_prefix, read_config
from indexer.embedding.onnx.encoder import Beginning, Encoder, Feeds, TokenBatch, padded
from indexer.embedding.spec import ModelSpec
from indexer.types import Pooling, Vectors

if TYPE_CHECKING:
    from indexer.embedding.onnx.graph import Graph
    from indexer.embedding.onnx.linear import Linear


SECOND_TEXT = 1 << 32  # no tokenizer has an id as large


class BertEncoder(Encoder):
    """A BERT-type encoder; word embeddings are read from the checkpoint row by row.

    A token of the second text of a pair comes as its id plus `SECOND_TEXT`, one of the first as
    its id: so a pair is one list of ids like any text.
    """

    takes_beginnings = False  # every token sees every other: nothing can be kept

    def __init__(self, spec: ModelSpec) -> None:
        folder = spec.transformer_folder
        self._config = read_config(folder)
        self._pooling = spec.pooling
        self._checkpoint = Checkpoint(folder)
        prefix = f"{name_prefix(self._checkpoint)}embeddings."
        self._words = self._checkpoint.rows(f"{prefix}word_embeddings.weight")
        positions = read_json(folder / "config.json")["max_position_embeddings"]
        hidden = self._config.hidden
        places = self._checkpoint.tensor(
            f"{prefix}position_embeddings.weight", (int(positions), hidden)
        )
        kinds = self._checkpoint.rows(f"{prefix}token_type_embeddings.weight")
        # What a place adds to a word of the first text, and of the second.
        first_two = kinds.take(np.arange(min(kinds.count, 2)))
        self._places = places + first_two[:, None, :]

    def build(self, graph: "Graph", linear: "Linear") -> None:
        """See `Encoder.build`."""
        from indexer.embedding.onnx.bert import build_bert

        build_bert(graph, linear, self._checkpoint, self._config, self._pooling is Pooling.CLS)

    def feeds(self, batch: TokenBatch, beginning: Beginning | None = None, kept: int = 0) -> Feeds:
        """See `Encoder.feeds`; there are no beginnings."""
        assert beginning is None
        assert not kept
        ids, lengths = padded(batch)
        count, longest = ids.shape
        places = self._places[0, :longest]
        if ids.max() >= SECOND_TEXT:
            kinds, ids = np.divmod(ids, SECOND_TEXT)
            places = self._places[kinds, np.arange(longest)]
        words = self._words.take(ids.reshape(-1)).reshape(count, longest, -1)
        mask = np.arange(longest) < lengths[:, None]
        rows = np.arange(count, dtype=np.int64) * longest
        if self._pooling is Pooling.LAST_TOKEN:
            rows += lengths - 1
        elif self._pooling is Pooling.MEAN:
            rows = np.flatnonzero(mask)
        return {
            "states": (words + places).reshape(count * longest, -1),
            "shape": np.array([count, longest], dtype=np.int64),
            "mask": mask.astype(np.int32),
            "pooled": rows,
        }

    def pool(self, states: Vectors, batch: TokenBatch) -> Vectors:
        """See `Encoder.pool`."""
        if self._pooling is not Pooling.MEAN:
            return states
        lengths = np.array([len(ids) for ids in batch])
        sums = np.add.reduceat(states, np.cumsum(lengths) - lengths, axis=0)
        means: Vectors = (sums / lengths[:, None]).astype(np.float32)
        return means
