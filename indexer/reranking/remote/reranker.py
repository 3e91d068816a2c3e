"""A reranker behind an endpoint."""

from collections.abc import Sequence

import numpy as np

from indexer.embedding.remote.faults import AnswerFault, Fault, RequestFault
from indexer.embedding.remote.retry import Backoff
from indexer.embedding.tokenizer import whole_text
from indexer.embedding.wishes import Endpoint
from indexer.errors import ModelError, PlacementError, SemsearchError
from indexer.reranking.base import Reranker, Scores, refuse_instruction
from indexer.reranking.remote.client import RerankClient

_MAX_TEXTS = 32  # TEI takes no more in one request unless told otherwise
_TOKEN_BYTES = 4  # of UTF-8, roughly: only the proportions matter


class RemoteReranker(Reranker):
    """A server that reranks. Threads may share it: together they keep to its limit."""

    takes_instruction = False
    max_tokens = None

    def __init__(self, endpoint: Endpoint, backoff: Backoff | None = None) -> None:
        """Connect to nothing yet; see `open_remote`.

        Raises:
            UsageError: the endpoint's address or key cannot be used.
        """
        self._client = RerankClient(endpoint, backoff)
        self._model = endpoint.model
        self._max_texts = _MAX_TEXTS

    @property
    def name(self) -> str:
        """See `Reranker.name`: the model, if one was named, and where it is."""
        return f"{self._model} at {self._client.url}" if self._model else self._client.url

    def check(self) -> None:
        """Ask for one score, so that a wrong setting shows before any work; see `scores`."""
        try:
            self._client.find()
        except Fault as fault:
            raise self._error(fault) from fault

    def scores(self, query: str, texts: Sequence[str], instruction: str | None = None) -> Scores:
        """See `Reranker.scores`; scaled as the server scales them."""
        return self._all_scores(query, texts, instruction, raw=False)

    def logits(self, query: str, texts: Sequence[str], instruction: str | None = None) -> Scores:
        """See `Reranker.logits`; only TEI gives them."""
        return self._all_scores(query, texts, instruction, raw=True)

    def probabilities(
        self, query: str, texts: Sequence[str], instruction: str | None = None
    ) -> Scores:
        """See `Reranker.probabilities`; servers scale by themselves."""
        return self.scores(query, texts, instruction)

    def token_counts(
        self, query: str, texts: Sequence[str], instruction: str | None = None
    ) -> list[int]:
        """See `Reranker.token_counts`: estimated from the bytes."""
        refuse_instruction(self.name, instruction)
        sizes = [len(whole_text(text).encode()) for text in (query, *texts)]
        return [1 + (sizes[0] + size) // _TOKEN_BYTES for size in sizes[1:]]

    def _all_scores(
        self, query: str, texts: Sequence[str], instruction: str | None, *, raw: bool
    ) -> Scores:
        refuse_instruction(self.name, instruction)
        query, texts = whole_text(query), [whole_text(text) for text in texts]
        parts: list[Scores] = [np.empty(0, dtype=np.float32)]
        start = 0
        while start < len(texts):
            part = texts[start : start + self._max_texts]
            parts.append(self._scores(query, part, raw=raw))
            start += len(part)
        return np.concatenate(parts)

    def _scores(self, query: str, texts: Sequence[str], *, raw: bool) -> Scores:
        """Scores of one request's texts; halved while it is refused for its size."""
        try:
            return self._client.scores(query, texts, raw=raw)
        except RequestFault as fault:
            if not fault.too_large or len(texts) == 1:
                raise self._error(fault) from fault
        except Fault as fault:
            raise self._error(fault) from fault
        middle = (len(texts) + 1) // 2
        halves = [self._scores(query, part, raw=raw) for part in (texts[:middle], texts[middle:])]
        # Both were taken: it was the number of texts.
        self._max_texts = min(self._max_texts, middle)
        return np.concatenate(halves)

    def _error(self, fault: Fault) -> SemsearchError:
        kind = ModelError if isinstance(fault, AnswerFault) else PlacementError
        return kind(f"Reranker {self._client.url}: {fault}.")

    def close(self) -> None:
        """See `Reranker.close`."""
        self._client.close()


def open_remote(endpoint: Endpoint) -> RemoteReranker:
    """A remote reranker that has answered once.

    Raises:
        UsageError: the endpoint's address or key cannot be used.
        PlacementError: it is out of reach, or does not rerank.
        ModelError: what it answers are no scores.
    """
    reranker = RemoteReranker(endpoint)
    try:
        reranker.check()
    except BaseException:
        reranker.close()
        raise
    return reranker
