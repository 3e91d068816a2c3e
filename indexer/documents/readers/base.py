"""What every reader gets and gives: its source, its error, and a builder for extracted text."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Any

from indexer.documents.encoding import clean, decode
from indexer.types import Block, BlockKind, ParsedDocument, Place, SkipReason

_MAX_METADATA_VALUES = 1000
_MAX_METADATA_DEPTH = 8


class Rejected(Exception):  # noqa: N818  (a verdict on a file, not a fault of the program)
    """The file gives no document. `detail` is the sentence a user reads."""

    def __init__(self, reason: SkipReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Source:
    """What a reader may know of the file besides its bytes."""

    format: str
    max_text: int  # code points of extracted text


def decode_or_reject(data: bytes, declared: str | None = None) -> str:
    """The text of a text format's file.

    Raises:
        Rejected: the bytes are no text.
    """
    text = decode(data, declared)
    if text is None:
        raise Rejected(SkipReason.BINARY, "holds binary data, not text")
    return text


@dataclass(slots=True)
class TextBuilder:
    """Collects extracted text with its blocks and places."""

    max_text: int
    length: int = 0
    _parts: list[str] = field(default_factory=list)
    _blocks: list[Block] = field(default_factory=list)
    _places: list[Place] = field(default_factory=list)

    def add(self, kind: BlockKind, text: str, level: int = 0, heading: str = "") -> None:
        """Append a block and the blank line after it. Blocks without text are left out.

        Raises:
            Rejected: the text is over the limit.
        """
        text = clean(text).strip("\n").rstrip()
        if not text.strip():
            return
        if self.length + len(text) > self.max_text:
            raise too_much_text(self.max_text)
        self._blocks.append(
            Block(kind, self.length, self.length + len(text), level, _one_line(heading))
        )
        self._parts += (text, "\n\n")
        self.length += len(text) + 2

    def add_heading(self, text: str, level: int) -> None:
        """Append a heading whose name is its text."""
        name = _one_line(text)
        self.add(BlockKind.HEADING, name, level, name)

    def leave_sections(self) -> None:
        """What follows belongs to no heading so far."""
        self._blocks.append(Block(BlockKind.HEADING, self.length, self.length, 1))

    def append(self, document: ParsedDocument, deeper: int = 0) -> None:
        """Append another document's text and blocks, its headings `deeper` levels down.

        Raises:
            Rejected: the text is over the limit.
        """
        text = document.text.rstrip()
        if not text:
            return
        if self.length + len(text) > self.max_text:
            raise too_much_text(self.max_text)
        for block in document.blocks:
            start, end = min(block.start, len(text)), min(block.end, len(text))
            level = block.level + deeper if block.level else 0
            self._blocks.append(
                replace(block, start=start + self.length, end=end + self.length, level=level)
            )
        self._parts += (text, "\n\n")
        self.length += len(text) + 2

    def place(self, label: str) -> None:
        """From here on the text comes from this page, sheet or cell."""
        place = Place(self.length, label)
        if self._places and self._places[-1].start == self.length:
            self._places[-1] = place
        else:
            self._places.append(place)

    def first_heading(self) -> str:
        """The name of the first heading, or ""."""
        for block in self._blocks:
            if block.kind is BlockKind.HEADING and block.heading:
                return block.heading
        return ""

    def document(
        self,
        format: str,
        title: str = "",
        metadata: Mapping[str, Any] | None = None,
        named_by_heading: bool = True,
    ) -> ParsedDocument:
        """The document so far; its title may fall back to the first heading."""
        text = "".join(self._parts)[:-1]
        places = tuple(place for place in self._places if place.start < len(text))
        return ParsedDocument(
            text=text,
            format=format,
            title=_one_line(title) or (self.first_heading() if named_by_heading else ""),
            blocks=tuple(self._blocks),
            places=places,
            metadata=json_values(metadata or {}),
        )


def too_much_text(limit: int) -> Rejected:
    """The verdict on a file whose text is over `limit` code points."""
    return Rejected(
        SkipReason.OUTPUT,
        f"more than {limit / (1 << 20):.0f} MiB of text. Raise the text limit to allow it.",
    )


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())


def json_values(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Plain JSON values; what JSON cannot say becomes text, what is too much is left out.

    YAML aliases can stand for billions of values in a few lines, so the number is capped.
    """
    budget = [_MAX_METADATA_VALUES]
    plain = _plain(values, budget, _MAX_METADATA_DEPTH)
    assert isinstance(plain, dict)
    return plain


def _plain(value: Any, budget: list[int], depth: int) -> Any:
    budget[0] -= 1
    if isinstance(value, Mapping) and depth:
        return {
            clean(str(key)): _plain(item, budget, depth - 1)
            for key, item in value.items()
            if budget[0] > 0
        }
    if isinstance(value, list | tuple | set) and depth:
        return [_plain(item, budget, depth - 1) for item in value if budget[0] > 0]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 1 << 63:
        return value
    if isinstance(value, float) and value - value == 0:  # finite: JSON has no NaN
        return value
    return clean(str(value))[:10_000] if not isinstance(value, Mapping | list | set) else None
