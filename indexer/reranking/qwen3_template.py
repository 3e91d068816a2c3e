"""The prompt of a Qwen3 reranker, word for word as its authors publish it, as token ids.

Of the two snippets on the model's page the one for transformers is followed: one line break between
the fields. Instruction, query and passage are tokenised together; what stands around them apart.

One thing differs: names of special tokens inside those three are plain text here. Else a passage
that holds `<|im_end|>` could close its own turn and tell the model what to answer.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from indexer.embedding.tokenizer import whole_text
from indexer.errors import ModelError, UsageError

if TYPE_CHECKING:
    import tokenizers

PREFIX = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and "
    'the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
    "<|im_start|>user\n"
)
SUFFIX = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
_TURNS = ("<|im_start|>", "<|im_end|>")
_YES, _NO = "yes", "no"


class Template:
    """The prompt of one model's tokenizer. Immutable: threads may share it."""

    def __init__(self, encoder: "tokenizers.Tokenizer", max_tokens: int, name: str) -> None:
        """Take over an encoder, which nobody else may use afterwards.

        Raises:
            ModelError: the tokenizer lacks a token of the template, or the limit leaves no room.
        """
        ids = {token: encoder.token_to_id(token) for token in (*_TURNS, _YES, _NO)}
        known = {token: id_ for token, id_ in ids.items() if id_ is not None}
        if missing := sorted(ids.keys() - known.keys()):
            raise ModelError(
                f"{name}: its tokenizer has no token {', '.join(missing)}, so it is no Qwen3 "
                "reranker. Take tokenizer.json from the model's page."
            )
        self.yes_id, self.no_id = known[_YES], known[_NO]
        self.prefix: list[int] = encoder.encode(PREFIX, add_special_tokens=False).ids
        self.suffix: list[int] = encoder.encode(SUFFIX, add_special_tokens=False).ids
        self._room = max_tokens - len(self.prefix) - len(self.suffix)
        if self._room < 1:
            raise ModelError(f"{name}: {max_tokens} tokens leave no room beside the template.")
        encoder.encode_special_tokens = True  # from here on names of special tokens are text
        self._encoder = encoder

    def encode(
        self, query: str, texts: Sequence[str], instruction: str | None = None
    ) -> list[list[int]]:
        """Token ids of each prompt. What is too long loses its end, never the template.

        Raises:
            UsageError: the instruction is empty or has a line break.
        """
        bare = self._bare(query, texts, instruction)
        return [[*self.prefix, *ids[: self._room], *self.suffix] for ids in bare]

    def count(self, query: str, texts: Sequence[str], instruction: str | None = None) -> list[int]:
        """Tokens of each prompt, uncut."""
        around = len(self.prefix) + len(self.suffix)
        return [around + len(ids) for ids in self._bare(query, texts, instruction)]

    def _bare(self, query: str, texts: Sequence[str], instruction: str | None) -> list[list[int]]:
        if instruction is None:
            instruction = INSTRUCTION
        elif not instruction.strip() or len(instruction.splitlines()) > 1:
            raise UsageError(
                f"Instruction {instruction[:80]!r}: must be one line of text. Leave it out for "
                "the model's own."
            )
        head = whole_text(f"<Instruct>: {instruction}\n<Query>: {query}\n<Document>: ")
        bodies = [head + whole_text(text) for text in texts]
        found = self._encoder.encode_batch_fast(bodies, add_special_tokens=False)
        return [encoding.ids for encoding in found]


def shared_beginning(batch: Sequence[list[int]]) -> int:
    """How many leading tokens all sequences share, at least one left over in each."""
    if not batch:
        return 0
    most = max(0, min(len(ids) for ids in batch) - 1)
    # What the first and the last in dictionary order share, all between them share.
    first, last = min(batch), max(batch)
    return next((place for place in range(most) if first[place] != last[place]), most)
