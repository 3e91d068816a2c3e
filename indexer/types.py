"""Frozen data that the parts hand to each other, and the chunker's view of a tokenizer."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from indexer.modes import Mode

Vectors = npt.NDArray[np.float32]  # shape (n, dim)
Vector = npt.NDArray[np.float32]  # shape (dim,)
Metadata = Mapping[str, Any]  # JSON values only


class Kind(StrEnum):
    """What a text is embedded as: queries carry an instruction, documents go in raw."""

    QUERY = "query"
    DOCUMENT = "document"


class Scan(StrEnum):
    """Which vectors a search scores. All but the first are there to be measured."""

    CHEAPEST = "cheapest"  # the index's candidates, or all where that costs less
    EXACT = "exact"  # all of them
    CODES = "codes"  # the index's candidates wherever there is one


class Pooling(StrEnum):
    """How token states become one vector."""

    MEAN = "mean"
    CLS = "cls"
    LAST_TOKEN = "lasttoken"  # noqa: S105 - a way of pooling, no secret


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything that fixes a vector's meaning. Two vectors compare only under equal contracts."""

    model: str  # hub id, or folder name for a local folder
    revision: str | None
    weights_sha256: str
    pooling: Pooling
    query_prompt: str
    document_prompt: str
    eos_token_id: int | None  # ends every text, also a truncated one; None: the tokenizer's rule
    dimension: int
    normalised: bool
    max_tokens: int  # longest embedded text, special tokens included
    chunker: str  # version and budget, e.g. "1/512"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, keys in declaration order."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Contract":
        """The inverse of `to_dict`."""
        return cls(**{**values, "pooling": Pooling(values["pooling"])})

    @property
    def fingerprint(self) -> str:
        """Hex sha256 over the canonical JSON of all fields."""
        return _fingerprint(self)

    def differences(self, other: "Contract") -> dict[str, tuple[Any, Any]]:
        """{field: (mine, theirs)} where the two disagree."""
        mine, theirs = self.to_dict(), other.to_dict()
        return {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}


@lru_cache(maxsize=256)  # every query asks several times, of the same few contracts
def _fingerprint(contract: Contract) -> str:
    return hashlib.sha256(json.dumps(contract.to_dict(), sort_keys=True).encode()).hexdigest()


def embedding_key(fingerprint: str, kind: Kind, embedded_text: str) -> bytes:
    """32 bytes naming the vector of this exact text under the contract of this fingerprint.

    Equal keys, equal vectors.
    """
    head = f"{fingerprint}\0{kind}\0".encode()
    return hashlib.sha256(head + embedded_text.encode()).digest()


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file that discovery chose."""

    path: Path  # absolute; may hold surrogate escapes for names that are not UTF-8
    size_bytes: int
    mtime_ns: int


class SkipReason(StrEnum):
    """Why a file or folder was left out."""

    IGNORED = "ignored"  # by .gitignore, .semsearchignore or the built-in list
    EXCLUDED = "excluded"  # by --include/--exclude
    TOO_LARGE = "too large"
    BINARY = "binary"
    EMPTY = "empty"  # nothing to index in it
    LINK = "link"  # leads outside the root, loops, or to something indexed anyway
    SPECIAL = "special file"  # device, FIFO, socket
    MISSING_EXTRA = "missing extra"
    ENCRYPTED = "encrypted"
    BROKEN = "broken"  # cannot be parsed
    TIMEOUT = "timeout"
    MEMORY = "memory limit"
    OUTPUT = "output limit"
    UNREADABLE = "unreadable"  # permission, I/O error, vanished while read

    @property
    def keeps_old(self) -> bool:
        """True when the file may still be there: its earlier version stays in the collection."""
        return self in _KEEPS_OLD


_KEEPS_OLD = frozenset(
    {
        SkipReason.MISSING_EXTRA,
        SkipReason.ENCRYPTED,
        SkipReason.BROKEN,
        SkipReason.TIMEOUT,
        SkipReason.MEMORY,
        SkipReason.OUTPUT,
        SkipReason.UNREADABLE,
    }
)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder left out, with the sentence a user reads."""

    path: Path
    reason: SkipReason
    detail: str  # what, the actual value, what to do next; "" when the reason says it all
    is_folder: bool = False


class BlockKind(StrEnum):
    """What a stretch of extracted text is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    TABLE = "table"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of text. Blocks are in order, without overlap; gaps belong to the block before."""

    kind: BlockKind
    start: int  # code points into the text
    end: int
    level: int = 0  # headings and code definitions: 1 outermost; else 0
    heading: str = ""  # headings and code definitions: the bare name, without markup


@dataclass(frozen=True, slots=True)
class Place:
    """From `start` on the text comes from this page, sheet or cell, until the next place."""

    start: int
    label: str  # "page 3", "sheet Sales", "cell 4", "slide 2"


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A document's extracted text and structure. A file may hold many (JSONL lines with an id)."""

    text: str  # no NUL, no lone surrogates, "\n" line ends
    format: str  # "markdown", "pdf", "python" ...
    title: str = ""  # from front matter, first heading or properties, never from the path
    member: str = ""  # "" for the whole file, else the id inside it, unique within the file
    blocks: tuple[Block, ...] = ()
    places: tuple[Place, ...] = ()
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage. `text` is exactly `document.text[start:end]`."""

    ordinal: int
    text: str
    start: int  # code points into the document's extracted text
    end: int
    start_line: int  # 1-based, inclusive
    end_line: int
    heading: tuple[str, ...]  # heading path, outermost first
    place: str  # label of the Place it starts in, or ""
    embedded_text: str  # title and heading path, then the text: what the model sees
    n_tokens: int  # of embedded_text, special tokens included

    @property
    def content_hash(self) -> bytes:
        """sha256 of the passage's text."""
        return hashlib.sha256(self.text.encode()).digest()


class TokenCounter(Protocol):
    """A tokenizer as the chunker sees it."""

    @property
    def max_tokens(self) -> int:
        """Longest embedded text in tokens, special tokens included."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, document prompt and special tokens included, untruncated."""
        ...

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """(start, end) in code points of each token of the bare text, in order; no special ones."""
        ...


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What is remembered of a file to tell whether it changed."""

    path: bytes  # os.fsencode of the absolute path: names that are not UTF-8 survive
    size_bytes: int
    mtime_ns: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A document ready to store. `keys` name the chunks' vectors, in the same order."""

    member: str
    title: str
    format: str
    metadata: Metadata
    chunks: tuple[Chunk, ...]
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class FileChange:
    """A new or changed file: all its documents as they are now."""

    stamp: FileStamp
    documents: tuple[PreparedDocument, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """One transaction's worth of work. `vectors`, not yet stored: {key: float32, shape (dim,)}."""

    files: tuple[FileChange, ...] = ()
    vectors: Mapping[bytes, Vector] = field(default_factory=dict)
    mode: Mode | None = None  # in which the vectors were made; None: not known
    touched: tuple[FileStamp, ...] = ()  # same content, other size/mtime record
    moved: tuple[tuple[bytes, FileStamp], ...] = ()  # (old path, new stamp), same content
    removed: tuple[bytes, ...] = ()  # paths


@dataclass(frozen=True, slots=True)
class ScoredChunk:
    """A chunk found by one retrieval mode; higher is better."""

    chunk_id: int
    score: float


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as the catalog holds it, with what a hit shows of its document."""

    id: int
    document_id: int
    path: bytes
    member: str
    title: str
    format: str
    ordinal: int
    text: str
    start: int
    end: int
    start_line: int
    end_line: int
    heading: tuple[str, ...]
    place: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """The file that a document was read from, as it was then."""

    stamp: FileStamp
    member: str  # the document inside it, "" for the whole file
