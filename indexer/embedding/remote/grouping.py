"""Texts gathered into requests: bounded in number and tokens, neighbours of similar length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from indexer.embedding.batching import by_length
from indexer.embedding.remote.cut import Input

# TEI takes 32 texts a request and 16,384 tokens a batch unless told otherwise (its
# --max-client-batch-size and --max-batch-tokens); other servers take more and gain nothing by it,
# because several requests are in flight and they batch across them.
MAX_TEXTS = 32
MAX_TOKENS = 16_384


@dataclass(frozen=True, slots=True)
class Request:
    """What goes to an endpoint at once. Not empty."""

    inputs: tuple[Input, ...]

    @property
    def texts(self) -> list[str]:
        """The strings to send."""
        return [item.text for item in self.inputs]

    @property
    def rows(self) -> list[int]:
        """The texts' places in the caller's list."""
        return [item.row for item in self.inputs]

    @property
    def tokens(self) -> int:
        """Tokens of all texts, special ones included."""
        return sum(item.tokens for item in self.inputs)

    def halves(self) -> tuple["Request", "Request"]:
        """Two requests for the same texts, the larger first; only of a request with several.

        The larger has a power of two: limits mostly are one.
        """
        middle = 1 << (len(self.inputs) - 1).bit_length() - 1
        return Request(self.inputs[:middle]), Request(self.inputs[middle:])


def group(inputs: Sequence[Input], max_texts: int, max_tokens: int) -> Iterator[Request]:
    """Requests for all inputs, longest texts first: a server that pads wastes little.

    Args:
        inputs: any order; ones without a token are left out, since no model gives them a vector.
        max_texts: most texts in a request.
        max_tokens: most tokens in a request; a longer text goes alone.
    """
    gathered: list[Input] = []
    tokens = 0
    for index in by_length([item.tokens for item in inputs]):
        item = inputs[index]
        if not item.tokens:
            continue
        if gathered and (len(gathered) >= max_texts or tokens + item.tokens > max_tokens):
            yield Request(tuple(gathered))
            gathered, tokens = [], 0
        gathered.append(item)
        tokens += item.tokens
    if gathered:
        yield Request(tuple(gathered))
