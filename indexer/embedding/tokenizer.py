"""Text -> token ids exactly as sentence-transformers feeds the model, without torch.

The tokenizer.json of a model may truncate AND pad on its own (all-MiniLM-L6-v2: to 128); both are
switched off here. A text
is cut to leave room for the special tokens, so a Qwen3 text always ends with its EOS, which is the
token that is pooled.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.embedding.spec import ModelSpec
from indexer.errors import ModelError, UsageError
from indexer.types import Kind

if TYPE_CHECKING:
    import tokenizers

_SURROGATE = re.compile("[\ud800-\udfff]")
_INSTRUCTED = re.compile(r"Instruct: (?P<task>.*)\nQuery:(?P<space> ?)", re.DOTALL)


class Tokenizer:
    """A model's tokenizer with its prompts. Immutable: threads may share it. A `TokenCounter`."""

    def __init__(self, spec: ModelSpec, encoder: "tokenizers.Tokenizer", in_parallel: bool) -> None:
        self._spec = spec
        self._encoder = encoder
        self._in_parallel = in_parallel
        self._before, self._after = _special_tokens(encoder, spec)

    @property
    def max_tokens(self) -> int:
        """Longest embedded text in tokens, special tokens included."""
        return self._spec.max_tokens

    @property
    def special_counts(self) -> tuple[int, int]:
        """How many special tokens stand before and behind every text."""
        return len(self._before), len(self._after)

    def prompt(self, kind: Kind, instruction: str | None = None) -> str:
        """The text put before the bare text.

        With an instruction it is the model's query prompt with its task replaced.

        Raises:
            UsageError: an instruction for documents, for a model that takes none, or one that is
                empty or has a line break.
        """
        if instruction is None:
            return self._spec.query_prompt if kind is Kind.QUERY else self._spec.document_prompt
        if kind is not Kind.QUERY:
            raise UsageError(
                "An instruction goes with queries only: documents are embedded without one."
            )
        form = _INSTRUCTED.fullmatch(self._spec.query_prompt)
        if form is None:
            raise UsageError(
                f"{self._spec.model} takes no instruction (its query prompt is "
                f"{self._spec.query_prompt!r}). "
                "Leave the instruction out, or use a Qwen3-Embedding model."
            )
        if not instruction.strip() or len(instruction.splitlines()) > 1:
            raise UsageError(
                f"Instruction {instruction[:80]!r}: must be one line of text. Leave it out for "
                "the model's own."
            )
        return f"Instruct: {whole_text(instruction)}\nQuery:{form['space']}"

    def encode(
        self, texts: Sequence[str], kind: Kind, instruction: str | None = None
    ) -> list[list[int]]:
        """Token ids of each text with its prompt and special tokens, cut to `max_tokens`."""
        room = self.max_tokens - len(self._before) - len(self._after)
        bare = self._bare_ids(texts, self.prompt(kind, instruction))
        return [[*self._before, *ids[:room], *self._after] for ids in bare]

    def lengths(
        self, texts: Sequence[str], kind: Kind, instruction: str | None = None
    ) -> list[int]:
        """Tokens of each text as it goes to the model: prompt, special tokens, cut."""
        return [len(ids) for ids in self.encode(texts, kind, instruction)]

    def framed(self, ids: Sequence[int]) -> list[int]:
        """Token ids of a text, cut to `max_tokens`, between its special tokens.

        Ids that have these already keep them once.
        """
        room = self.max_tokens - len(self._before) - len(self._after)
        return [*self._before, *self._bare(ids)[:room], *self._after]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of valid token ids, without the special tokens around it.

        Ids that no text gives (half a character, a word that begins in its middle) come back as
        the nearest text.
        """
        return str(self._encoder.decode(self._bare(ids), skip_special_tokens=False))

    def check_ids(self, ids: Iterable[int]) -> None:
        """Refuse ids that the model has no token for.

        Raises:
            UsageError: names the first of them.
        """
        for token in set(ids):
            if not 0 <= token < 1 << 32 or self._encoder.id_to_token(token) is None:
                raise UsageError(
                    f"{token} is no token id of {self._spec.model}. Take the ids from its own "
                    "tokenizer, or send texts."
                )

    def _bare(self, ids: Sequence[int]) -> list[int]:
        """Without the special tokens around a text, if all of them are there."""
        start, end = len(self._before), len(ids) - len(self._after)
        framed = start <= end and [*self._before, *ids[start:end], *self._after] == list(ids)
        return list(ids[start:end] if framed else ids)

    def beginning(self, prompt: str) -> list[int]:
        """Token ids that texts with this prompt begin with; their last may differ."""
        return [*self._before, *self._bare_ids([""], prompt)[0]]

    def count(self, texts: Sequence[str], kind: Kind = Kind.DOCUMENT) -> list[int]:
        """Tokens of each text as it is embedded (prompt, special tokens), untruncated."""
        special = len(self._before) + len(self._after)
        return [special + len(ids) for ids in self._bare_ids(texts, self.prompt(kind))]

    def tail(self, text: str, kind: Kind) -> str:
        """The longest end of a text, from a token's beginning on, that needs no cut."""
        starts = [start for start, _ in self.offsets(text)]
        first, rest = 0, text
        # Again, as an end may come apart into more tokens than it had inside the text.
        while (over := self.count([rest], kind)[0] - self.max_tokens) > 0 and rest:
            first += over
            rest = text[starts[first] :] if first < len(starts) else ""
        return rest

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """(start, end) in code points of each token of the bare text, in order.

        Without special tokens.

        Tokens that share a character (bytes of one emoji) have overlapping ranges.
        """
        return list(self._encoder.encode(whole_text(text), add_special_tokens=False).offsets)

    def _bare_ids(self, texts: Sequence[str], prompt: str) -> list[list[int]]:
        inputs = [prompt + whole_text(text) for text in texts]
        if self._in_parallel:
            found = self._encoder.encode_batch_fast(inputs, add_special_tokens=False)
        else:
            # One at a time stays on the calling thread: encode_batch would start a thread per core
            # in every worker.
            found = [self._encoder.encode(text, add_special_tokens=False) for text in inputs]
        return [encoding.ids for encoding in found]


def load_tokenizer(spec: ModelSpec, in_parallel: bool = True) -> Tokenizer:
    """The model's tokenizer.

    Args:
        spec: the model.
        in_parallel: tokenise lists on all cores; False in worker processes, which are one per core
            already.

    Raises:
        ModelError: tokenizer.json is missing or unusable, or breaks the model's EOS rule.
    """
    encoder = load_encoder(spec.transformer_folder, spec.lower_case)
    return Tokenizer(spec, encoder, in_parallel)


def load_encoder(folder: Path, lower_case: bool = False) -> "tokenizers.Tokenizer":
    """What tokenizer.json in a folder says, without its own truncation and padding.

    Args:
        folder: the model's.
        lower_case: lower-case every text first.

    Raises:
        ModelError: it is missing or unusable.
    """
    from tokenizers import Tokenizer as Encoder

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelError(
            f"{path}: missing. Only models with a tokenizer.json are supported; "
            "load and save the model's tokenizer once with a current transformers to make one."
        )
    try:
        encoder = Encoder.from_file(str(path))
    except Exception as error:  # the Rust library raises bare Exception
        raise ModelError(
            f"{path}: not a usable tokenizer ({error}). Fetch the model again."
        ) from error
    encoder.no_truncation()
    encoder.no_padding()
    if lower_case:
        _lower_case(encoder)
    return encoder


def whole_text(text: str) -> str:
    """The text with lone surrogates (from bad JSON escapes) replaced: no tokenizer takes them."""
    return _SURROGATE.sub("\ufffd", text)


def _lower_case(encoder: "tokenizers.Tokenizer") -> None:
    """Lower-case first, as sentence-transformers does for do_lower_case."""
    from tokenizers import normalizers

    own = encoder.normalizer
    steps = [normalizers.Lowercase()]
    encoder.normalizer = normalizers.Sequence(steps if own is None else [*steps, own])


def _special_tokens(
    encoder: "tokenizers.Tokenizer", spec: ModelSpec
) -> tuple[list[int], list[int]]:
    """(ids before, ids after) every text: the tokenizer's template and the model's EOS rule."""
    marked = encoder.encode("a", add_special_tokens=True)
    bare = encoder.encode("a", add_special_tokens=False).ids
    start = next((i for i, special in enumerate(marked.special_tokens_mask) if not special), 0)
    before, after = marked.ids[:start], marked.ids[start + len(bare) :]
    if marked.ids != [*before, *bare, *after]:
        raise ModelError(
            f"{spec.transformer_folder}: its tokenizer adds special tokens inside the text."
        )
    if spec.eos_token_id is not None:
        after = _with_eos(encoder, spec, after)
    if len(before) + len(after) >= spec.max_tokens:
        raise ModelError(
            f"{spec.transformer_folder}: {spec.max_tokens} tokens leave no room beside the "
            "special tokens."
        )
    return before, after


def _with_eos(encoder: "tokenizers.Tokenizer", spec: ModelSpec, after: list[int]) -> list[int]:
    eos = spec.eos_token_id
    assert eos is not None
    if encoder.id_to_token(eos) != "<|endoftext|>" or after not in ([], [eos]):
        raise ModelError(
            f"{spec.transformer_folder}: its tokenizer ends texts with {after or 'nothing'} and "
            f"token {eos} is "
            f"{encoder.id_to_token(eos)!r}; Qwen3-Embedding needs <|endoftext|> ({eos}). Take "
            "tokenizer.json from the model's page."
        )
    return [eos]
