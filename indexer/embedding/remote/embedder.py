"""A model behind one or several endpoints."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np

from indexer.embedding.embedder import Embedder, OnBatch
from indexer.embedding.model_folder import read_json
from indexer.embedding.pooling import finish
from indexer.embedding.remote.balance import Balancer
from indexer.embedding.remote.client import EndpointClient
from indexer.embedding.remote.cut import cut_inputs, windows
from indexer.embedding.remote.faults import RequestFault
from indexer.embedding.remote.flight import run_ahead
from indexer.embedding.remote.grouping import MAX_TEXTS, MAX_TOKENS, Request, group
from indexer.embedding.remote.retry import FOR_DOCUMENTS, FOR_QUERIES, Backoff, Patience
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import Tokenizer
from indexer.embedding.wishes import Wishes
from indexer.errors import PlacementError, UsageError
from indexer.modes import Mode, Placement, Precision
from indexer.types import Kind, Vectors

# Texts tokenised together: enough to sort by length, few enough that their tokens take little.
_WINDOW_TEXTS = 512
_WINDOW_CHARS = 1 << 20
_CHECK_TEXT = "ready"
_DTYPES = {"float32": Precision.FP32, "bfloat16": Precision.BF16, "float16": Precision.FP16}


class RemoteEmbedder(Embedder):
    """A model on other machines. Threads may share it: together they keep to each one's limit."""

    def __init__(
        self,
        spec: ModelSpec,
        tokenizer: Tokenizer,
        wishes: Wishes,
        dimension: int | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Connect to nothing yet; see `open_remote`.

        Raises:
            UsageError: no endpoint, or one whose address or key cannot be used.
        """
        super().__init__(spec, tokenizer, dimension)
        if not wishes.endpoints:
            raise UsageError(
                "Placement remote needs an endpoint. Give one with --endpoint, for example "
                "--endpoint http://127.0.0.1:30000/v1, or as SEMSEARCH_ENDPOINTS."
            )
        clients = [EndpointClient(e, spec.model, spec.hidden_size) for e in wishes.endpoints]
        self._balancer = Balancer(clients, [e.concurrency for e in wishes.endpoints], backoff)
        self._mode = Mode(Placement.REMOTE, wishes.precision or declared_precision(spec))
        self._max_texts = MAX_TEXTS
        self._max_tokens = wishes.max_batch_tokens or MAX_TOKENS

    @property
    def mode(self) -> Mode:
        """See `Embedder.mode`; the precision is what was wished, else what the model declares.

        Servers run a model in the type its config names unless told otherwise; none says which.
        """
        return self._mode

    @property
    def engine(self) -> str:
        """See `Embedder.engine`: where the endpoints are."""
        return ", ".join(self._balancer.urls)

    @property
    def batch_tokens(self) -> int:
        """See `Embedder.batch_tokens`: as many as one request holds."""
        return self._max_tokens

    @property
    def concurrency(self) -> int:
        """See `Embedder.concurrency`: as many as the endpoints take."""
        return self._balancer.capacity

    def may_be_the_text(self, error: Exception) -> bool:
        """See `Embedder.may_be_the_text`: not when no endpoint can be reached."""
        return isinstance(error.__cause__, RequestFault)

    def check(self) -> None:
        """Ask every endpoint for one vector, so that a wrong setting shows before any work.

        Raises:
            PlacementError: none works.
            ModelError: none gives this model's vectors.
        """
        [text] = cut_inputs(self.tokenizer, [_CHECK_TEXT], Kind.DOCUMENT)
        self._balancer.check(text.text, FOR_QUERIES)

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind,
        instruction: str | None = None,
        on_batch: OnBatch | None = None,
    ) -> Vectors:
        """See `Embedder.embed`; `on_batch` is called on this thread, in the order answers come."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        patience = FOR_QUERIES if kind is Kind.QUERY else FOR_DOCUMENTS
        requests = self._requests(texts, kind, instruction)
        workers = min(self._balancer.capacity, len(texts))

        def work(request: Request) -> Vectors:
            return self._embed_request(request, patience)

        with closing(run_ahead(requests, work, workers)) as answers:
            for request, answer in answers:
                vectors[request.rows] = finish(answer, self.dimension)
                if on_batch is not None:
                    on_batch(len(request.rows), request.tokens)
        return vectors

    def _requests(
        self, texts: Sequence[str], kind: Kind, instruction: str | None
    ) -> Iterator[Request]:
        for rows in windows(texts, _WINDOW_TEXTS, _WINDOW_CHARS):
            window = texts[rows.start : rows.stop]
            inputs = cut_inputs(self.tokenizer, window, kind, instruction, rows.start)
            yield from group(inputs, self._max_texts, self._max_tokens)

    def _embed_request(self, request: Request, patience: Patience) -> Vectors:
        """Vectors of one request, float32, shape (n, hidden size); halved while it is refused.

        Raises:
            PlacementError: a text alone is refused.
        """
        try:
            return self._balancer.embed(request.texts, patience)
        except RequestFault as fault:
            if not fault.too_large or len(request.inputs) == 1:
                raise self._refused(request, fault) from fault
        halves = request.halves()
        parts = [self._embed_request(half, patience) for half in halves]
        # Both halves were taken: it was the number of texts, and the next requests can have fewer.
        self._max_texts = min(self._max_texts, len(halves[0].inputs))
        return np.concatenate(parts)

    def _refused(self, request: Request, fault: RequestFault) -> PlacementError:
        longest = max(request.inputs, key=lambda item: item.tokens)
        which = (
            f"text {longest.row}" if len(request.inputs) == 1 else f"{len(request.inputs)} texts"
        )
        return PlacementError(
            f"The endpoint refuses {which} (longest: {longest.tokens} tokens, the model takes "
            f"{self.spec.max_tokens}): {fault}. If it takes fewer, start the server with the "
            "model's whole length, or index with smaller chunks (SEMSEARCH_CHUNK_TOKENS)."
        )

    def close(self) -> None:
        """See `Embedder.close`."""
        self._balancer.close()


def open_remote(
    spec: ModelSpec, tokenizer: Tokenizer, wishes: Wishes, dimension: int | None = None
) -> RemoteEmbedder:
    """A remote model that has answered once.

    Raises:
        UsageError: no endpoint, or one whose address or key cannot be used.
        PlacementError: no endpoint works.
        ModelError: none gives this model's vectors.
    """
    embedder = RemoteEmbedder(spec, tokenizer, wishes, dimension)
    try:
        embedder.check()
    except BaseException:
        embedder.close()
        raise
    return embedder


def declared_precision(spec: ModelSpec) -> Precision:
    """The number format that the model's config.json names; fp32 where it names none."""
    config = read_json(spec.transformer_folder / "config.json")
    name = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    return _DTYPES.get(name.removeprefix("torch."), Precision.FP32)
