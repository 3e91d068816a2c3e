"""What the routes that give vectors share: limits, checked before any work, and the queue."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain

from app.api.errors import ApiError
from app.api.gone import result_of
from app.api.state import Served, State
from app.search.stages import Stage, Stages
from indexer.embedding.pooling import finish
from indexer.embedding.shared.embedder import SharedEmbedder
from indexer.embedding.shared.job import Embedded
from indexer.errors import SemsearchError
from indexer.types import Kind, Vectors

# OpenAI's own limits (platform.openai.com/docs/api-reference/embeddings).
MAX_INPUTS = 2_048
MAX_TOKENS = 300_000
# Before anything is tokenised, which takes about a second for so much: more cannot be 300,000
# tokens but of one letter repeated.
MAX_CHARS = 4_000_000
# What takes no longer than a long question is as urgent: somebody may wait for it. More of it is
# some program's work, and lets questions go first.
_URGENT_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Started:
    """Texts in the model's queue."""

    embedder: SharedEmbedder
    future: Future[Embedded]
    dimension: int  # of the answer

    async def result(self, stages: Stages) -> Embedded:
        """Their vectors, when they are there; cancelled, it takes the texts out of the queue."""
        embedded = await result_of(self.future)
        stages.model = self.embedder.spec.model
        stages.add(Stage.QUEUE, embedded.waited_s)
        stages.add(Stage.EMBED, embedded.worked_s)
        return embedded

    def vectors(self, embedded: Embedded) -> Vectors:
        """Unit vectors of the dimension asked for."""
        if self.dimension == self.embedder.dimension:
            return embedded.vectors
        return finish(embedded.vectors, self.dimension)


def load(served: Served, state: State) -> bool:
    """Load a served model; False where `embedder` will say what is wrong."""
    try:
        state.embedder(served)
    except SemsearchError:
        return False
    return True


def check_size(texts: Sequence[str | Sequence[int]], param: str) -> None:
    """Refuse what is too much for one request, or nothing.

    Raises:
        ApiError: says what is over which limit; `param` is the field's name.
    """
    if not texts:
        raise ApiError(400, f"{param} is empty: give at least one text.", param, code="empty")
    if len(texts) > MAX_INPUTS:
        raise ApiError(400, f"{len(texts):,} inputs; at most {MAX_INPUTS:,} a request.", param)
    size = sum(len(text) for text in texts if isinstance(text, str))
    if size > MAX_CHARS:
        raise ApiError(400, f"{size:,} characters; at most {MAX_CHARS:,} a request.", param)
    check_tokens(sum(len(text) for text in texts if not isinstance(text, str)), param)


def check_tokens(tokens: int, param: str) -> None:
    """Refuse too many tokens.

    Raises:
        ApiError: says how many.
    """
    if tokens > MAX_TOKENS:
        raise ApiError(400, f"{tokens:,} tokens; at most {MAX_TOKENS:,} a request.", param)


def start_texts(
    embedder: SharedEmbedder, texts: Sequence[str], kind: Kind, dimension: int, param: str
) -> Started:
    """Put texts into the queue; on a thread, as they are tokenised.

    Raises:
        ApiError: they have too many tokens.
        OverloadedError: too much waits.
    """
    lengths = embedder.tokenizer.lengths(texts, kind)
    check_tokens(sum(lengths), param)
    urgent = sum(lengths) <= _URGENT_TOKENS
    future = embedder.submit(texts, kind, urgent=urgent, lengths=lengths)
    return Started(embedder, future, dimension)


def start_ids(embedder: SharedEmbedder, ids: Sequence[Sequence[int]], dimension: int) -> Started:
    """Put documents that come as token ids into the queue."""
    embedder.tokenizer.check_ids(chain.from_iterable(ids))
    urgent = sum(len(item) for item in ids) <= _URGENT_TOKENS
    return Started(embedder, embedder.submit_ids(ids, urgent=urgent), dimension)
