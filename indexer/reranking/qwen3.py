"""Qwen3 rerankers: P("yes") behind a prompt that asks whether the passage answers the query.

The forward pass is the embedder's, in every mode it runs in: it gives the state of the last token.
Of the output layer only the rows of "yes" and "no" are read, so no logits of 150,000 other tokens
are computed. softmax over the two logits is the sigmoid of their difference:

    P(yes) = sigmoid(state . (w_yes - w_no))
"""

import threading
from collections.abc import Sequence, Set
from pathlib import Path

import numpy as np

from indexer.embedding.batching import by_length
from indexer.embedding.checkpoint import Checkpoint
from indexer.embedding.model_folder import read_json
from indexer.embedding.opening import open_runtime
from indexer.embedding.pooling import non_finite_rows
from indexer.embedding.qwen3_config import read_config, reason_against
from indexer.embedding.qwen3_layer import name_prefix
from indexer.embedding.runtimes.base import Runtime
from indexer.embedding.tokenizer import load_encoder
from indexer.embedding.wishes import Wishes
from indexer.errors import ModelError
from indexer.modes import Mode
from indexer.reranking.base import Reranker, Scores, sigmoid
from indexer.reranking.qwen3_template import Template, shared_beginning
from indexer.reranking.spec import RerankerSpec
from indexer.types import Pooling, Vector, Vectors

# Keys and values of 512 tokens of the 0.6B model take 117 MB; a longer query is computed anew for
# every passage beyond that.
_LONGEST_BEGINNING = 512


class Qwen3Reranker(Reranker):
    """A Qwen3 reranker in this process. Threads may share it: one batch at a time is computed."""

    takes_instruction = True

    def __init__(
        self, spec: RerankerSpec, template: Template, runtime: Runtime, direction: Vector
    ) -> None:
        """See `open_qwen3`; `direction` is w_yes - w_no, shape (hidden size,)."""
        self.spec = spec
        self.max_tokens = spec.max_tokens
        self.runtime = runtime
        self._template = template
        self._direction = direction
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """See `Reranker.name`."""
        return self.spec.model

    @property
    def mode(self) -> Mode:
        """Where and in which precision the model runs."""
        return self.runtime.mode

    def scores(self, query: str, texts: Sequence[str], instruction: str | None = None) -> Scores:
        """See `Reranker.scores`: the probability of "yes"."""
        return sigmoid(self.logits(query, texts, instruction))

    def logits(self, query: str, texts: Sequence[str], instruction: str | None = None) -> Scores:
        """See `Reranker.logits`: how far "yes" is above "no"."""
        states = self._states(self._template.encode(query, texts, instruction))
        differences: Scores = (states @ self._direction).astype(np.float32)
        return differences

    def token_counts(
        self, query: str, texts: Sequence[str], instruction: str | None = None
    ) -> list[int]:
        """See `Reranker.token_counts`."""
        return self._template.count(query, texts, instruction)

    def costs(self, query: str, texts: Sequence[str], instruction: str | None = None) -> list[int]:
        """See `Reranker.costs`: where keys and values are kept, the beginning counts once."""
        prompts = self._template.encode(query, texts, instruction)
        lengths = [len(ids) for ids in prompts]
        kept = self._kept_beginning(prompts)
        return [n - (len(kept) if row else 0) for row, n in enumerate(lengths)]

    def _states(self, prompts: list[list[int]]) -> Vectors:
        """The last token's state of each prompt, shape (n, hidden size); longest first."""
        states = np.empty((len(prompts), self.runtime.hidden_size), dtype=np.float32)
        lengths = [len(ids) for ids in prompts]
        order = by_length(lengths)
        beginning = self._kept_beginning(prompts)
        if beginning:
            with self._lock:
                self.runtime.expect(beginning)
        try:
            start = 0
            while start < len(order):
                ahead = [lengths[row] for row in order[start:]]
                end = start + (1 if beginning else self.runtime.batch_size(ahead))
                rows = order[start:end]
                states[rows] = self._forward([prompts[row] for row in rows])
                start = end
        finally:
            if beginning:
                with self._lock:
                    self.runtime.forget(beginning)
        return states

    def _kept_beginning(self, prompts: list[list[int]]) -> list[int]:
        """What all prompts begin with, if it pays to compute it once; else nothing."""
        if len(prompts) < 2 or not self.runtime.keeps_beginnings:
            return []
        return prompts[0][: min(shared_beginning(prompts), _LONGEST_BEGINNING)]

    def _forward(self, batch: list[list[int]]) -> Vectors:
        with self._lock:
            states = self.runtime.embed_tokens(batch)
            broken = non_finite_rows(states)
            if len(broken):
                # Half precision overflows on some texts: once more in fp32 before giving up.
                again = self.runtime.forward_fp32([batch[i] for i in broken])
                if again is not None:
                    states[broken] = again
        if len(non_finite_rows(states)):
            raise ModelError(
                f"{self.name} gave NaN or infinity in fp32. The weights are probably damaged: "
                "fetch the model again."
            )
        return states

    def close(self) -> None:
        """See `Reranker.close`."""
        with self._lock:
            self.runtime.close()


def open_qwen3(
    spec: RerankerSpec,
    wishes: Wishes | None = None,
    cache_folder: Path | None = None,
    checked: Set[Mode] = frozenset(),
) -> Qwen3Reranker:
    """The model, loaded; the arguments are those of `open_embedder`.

    Raises:
        PlacementError: this machine or this version cannot run that mode.
        ModelError: the model cannot be loaded.
    """
    encoder = spec.encoder(Pooling.LAST_TOKEN, read_config(spec.folder).hidden)
    if reason := reason_against(encoder):
        raise ModelError(f"{spec.model} cannot be run here: {reason}.")
    template = Template(load_encoder(spec.folder), spec.max_tokens, str(spec.folder))
    direction = _direction(spec, template, encoder.hidden_size)
    runtime = open_runtime(encoder, wishes or Wishes(), cache_folder, checked)
    return Qwen3Reranker(spec, template, runtime, direction)


def _direction(spec: RerankerSpec, template: Template, hidden: int) -> Vector:
    """w_yes - w_no of the output layer, which may be the token table."""
    checkpoint = Checkpoint(spec.folder)
    tied = read_json(spec.folder / "config.json").get("tie_word_embeddings", False)
    name = f"{name_prefix(checkpoint)}embed_tokens.weight" if tied else "lm_head.weight"
    rows = checkpoint.rows(name)
    highest = max(template.yes_id, template.no_id)
    shape = checkpoint.shape(name)
    if highest >= rows.count or shape[1] != hidden:
        raise ModelError(
            f"{spec.folder}: {name} has shape {shape}, its tokenizer and config.json ask for more "
            f"than {highest} rows of {hidden}. Fetch the model again."
        )
    yes, no = rows.take(np.array([template.yes_id, template.no_id]))
    direction: Vector = yes - no
    return direction
