"""Texts in, unit vectors out: what indexing and searching see of a model, wherever it runs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import Tokenizer
from indexer.modes import Mode
from indexer.types import Contract, Kind, Vectors

OnBatch = Callable[[int, int], None]  # (texts done, tokens done) of one batch


class Embedder(ABC):
    """A model ready to embed. Threads may share it."""

    def __init__(self, spec: ModelSpec, tokenizer: Tokenizer, dimension: int | None = None) -> None:
        self.spec = spec
        self.tokenizer = tokenizer
        self.dimension = spec.check_dimension(dimension)

    @property
    @abstractmethod
    def mode(self) -> Mode:
        """Where and in which precision the model runs."""

    @property
    def engine(self) -> str:
        """What runs the model, as messages and proofs name it; an endpoint says where it is."""
        return type(self).__name__

    def contract(self, chunker: str) -> Contract:
        """The contract of this embedder's vectors."""
        return self.spec.contract(chunker, self.dimension)

    @abstractmethod
    def embed(
        self,
        texts: Sequence[str],
        kind: Kind,
        instruction: str | None = None,
        on_batch: OnBatch | None = None,
    ) -> Vectors:
        """Vectors of the texts.

        Args:
            texts: any strings; one over the model's limit is cut, lone surrogates become U+FFFD.
            kind: queries get the model's query prompt, documents its document prompt.
            instruction: the task to put into the query prompt instead of the model's own.
            on_batch: called after each batch with its number of texts and of tokens.

        Returns:
            float32, shape (n, dimension), unit length, finite, in input order. A text without a
            single token, which only tokenizers without special tokens give, is a zero vector, as
            in sentence-transformers.

        Raises:
            ModelError: a vector is not finite, even in fp32.
            PlacementError: a single text does not fit in memory, or the place where the model runs
                is out of reach.
        """

    def embed_ids(self, ids: Sequence[Sequence[int]], on_batch: OnBatch | None = None) -> Vectors:
        """Vectors of documents that come as token ids, as `embed` gives them for their texts.

        Args:
            ids: of each text, valid ones (`Tokenizer.check_ids`), with or without the special
                tokens that stand around every text.
            on_batch: see `embed`.
        """
        texts = [self.tokenizer.decode(item) for item in ids]
        return self.embed(texts, Kind.DOCUMENT, on_batch=on_batch)

    @property
    @abstractmethod
    def batch_tokens(self) -> int:
        """As many tokens as are worth embedding together; may change when memory runs out."""

    @property
    def concurrency(self) -> int:
        """Calls that are worth making at the same time."""
        return 1

    def may_be_the_text(self, error: Exception) -> bool:
        """Whether `embed` could succeed on some of the texts on which it raised this error."""
        del error
        return True

    @abstractmethod
    def close(self) -> None:
        """Free the model."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
