"""What the runtime must know of an architecture: its graph, its inputs, its answer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from indexer.embedding.model_folder import read_json
from indexer.embedding.spec import ModelSpec
from indexer.types import Vectors

if TYPE_CHECKING:  # building needs the package onnx, running does not
    from indexer.embedding.onnx.graph import Graph
    from indexer.embedding.onnx.linear import Linear

Feeds = Mapping[str, npt.NDArray[Any]]
TokenBatch = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Beginning:
    """Keys and values of tokens that many texts begin with."""

    ids: tuple[int, ...]
    keys: npt.NDArray[np.float32]  # (layers, 1, kv_heads, tokens, head_dim)
    values: npt.NDArray[np.float32]


class Encoder(ABC):
    """One model's architecture. Immutable once made: threads may share it."""

    takes_beginnings: bool  # whether keys and values of a common beginning can be kept

    @abstractmethod
    def build(self, graph: "Graph", linear: "Linear") -> None:
        """Add everything to an empty graph.

        Raises:
            ModelError: the checkpoint does not fit config.json.
        """

    @abstractmethod
    def feeds(self, batch: TokenBatch, beginning: Beginning | None = None, kept: int = 0) -> Feeds:
        """The graph's inputs.

        Args:
            batch: ids of each text, none empty; with a beginning, one text and only what follows.
            beginning: tokens that stand before the text.
            kept: how many leading tokens' keys and values to give out.
        """

    @abstractmethod
    def pool(self, states: Vectors, batch: TokenBatch) -> Vectors:
        """One vector per text, shape (n, hidden), from the graph's output `vectors`."""


def reason_against(spec: ModelSpec) -> str | None:
    """Why the ONNX engine cannot run this model; None if it can.

    Raises:
        ModelError: config.json cannot be read.
    """
    from indexer.embedding import qwen3_config as qwen3
    from indexer.embedding.onnx import bert_config as bert

    if spec.architecture == "qwen3":
        return qwen3.reason_against(spec)
    if spec.architecture == "bert":
        return bert.reason_against(read_json(spec.transformer_folder / "config.json"))
    return f"its architecture is {spec.architecture}; qwen3 and bert are built in"


def encoder_of(spec: ModelSpec) -> Encoder:
    """The encoder of a model that `reason_against` has nothing against.

    Raises:
        ModelError: the checkpoint or config.json is damaged.
    """
    if spec.architecture == "qwen3":
        from indexer.embedding.onnx.qwen3_inputs import Qwen3Encoder

        return Qwen3Encoder(spec)
    from indexer.embedding.onnx.bert_inputs import BertEncoder

    return BertEncoder(spec)


def padded(batch: TokenBatch) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(ids with zeros behind each text, lengths), shapes (n, longest) and (n,)."""
    lengths = np.array([len(ids) for ids in batch], dtype=np.int64)
    ids = np.zeros((len(batch), int(lengths.max())), dtype=np.int64)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
    return ids, lengths
