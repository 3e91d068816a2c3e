"""reStructuredText: the text is the source; sections follow docutils' rule for title adornments."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

from indexer.documents.readers.base import Source, decode_or_reject, json_values
from indexer.types import Block, BlockKind, ParsedDocument

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*[ \t]*$")
_BULLET = re.compile(r"(?:[*+\-•‣]|#\.|\(?(?:\d+|[A-Za-z])[.)])\s")
_TABLE = re.compile(r"\+[-=]+\+|={2,}(?: +=+)+\s*$")
_CODE = re.compile(r"\.\. (?:code|code-block|sourcecode|literalinclude|parsed-literal|math)::")
_FIELD = re.compile(r":?([A-Za-z][\w \-]*):\s+(.*)$")
_ROLE = re.compile(r":[\w:.+\-]+:(?=`)")
_REFERENCE = re.compile(r"`([^`<]+?)\s*(?:<[^<>`]*>)?`_{0,2}")
_MIN_SHORT_ADORNMENT = 4  # docutils: an adornment shorter than its title counts from 4 characters


@dataclass(frozen=True, slots=True)
class _Title:
    line: int  # first line, the overline if there is one
    n_lines: int
    style: str  # the adornment character, doubled when there is an overline
    name: str


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document whose text is the decoded file."""
    text = decode_or_reject(data)
    lines = text.split("\n")
    titles = list(_titles(lines))
    fields = _fields(lines)
    blocks = _blocks(lines, titles)
    title = next((fields[key] for key in fields if key.lower() == "title"), "")
    return [
        ParsedDocument(
            text=text,
            format=source.format,
            title=title or (titles[0].name if titles else ""),
            blocks=tuple(blocks),
            metadata=json_values(fields),
        )
    ]


def _titles(lines: Sequence[str]) -> Iterator[_Title]:
    """Section titles: a line at the margin under (or between) a line of one repeated mark."""
    n = 0
    while n < len(lines):
        title = _overlined(lines, n) or _underlined(lines, n)
        if title is None:
            n += 1
        else:
            yield title
            n += title.n_lines


def _overlined(lines: Sequence[str], n: int) -> _Title | None:
    if n + 2 >= len(lines) or not _opens_block(lines, n):
        return None
    over, name, under = lines[n].rstrip(), lines[n + 1].strip(), lines[n + 2].rstrip()
    if not name or over != under or not _ADORNMENT.match(over) or _ADORNMENT.match(name):
        return None
    if len(over) < min(_width(name), _MIN_SHORT_ADORNMENT):
        return None
    return _Title(n, 3, over[0] * 2, _bare(name))


def _underlined(lines: Sequence[str], n: int) -> _Title | None:
    if n + 1 >= len(lines) or not _opens_block(lines, n):
        return None
    name, under = lines[n].rstrip(), lines[n + 1].rstrip()
    if not name or name[0].isspace() or not _ADORNMENT.match(under) or _ADORNMENT.match(name):
        return None
    if len(under) < min(_width(name), _MIN_SHORT_ADORNMENT):
        return None
    return _Title(n, 2, under[0], _bare(name))


def _opens_block(lines: Sequence[str], n: int) -> bool:
    """True after a blank line, at the top, or right under another title."""
    if n == 0 or not lines[n - 1].strip():
        return True
    return _ADORNMENT.match(lines[n - 1].rstrip()) is not None and n >= 2 and bool(lines[n - 2])


def _width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _bare(name: str) -> str:
    name = _ROLE.sub("", name.replace("``", ""))
    return " ".join(_REFERENCE.sub(r"\1", name).replace("**", "").replace("*", "").split())


def _fields(lines: Sequence[str]) -> dict[str, str]:
    """A field list (or mail-like header, as PEPs have) at the top, before or after the title."""
    fields: dict[str, str] = {}
    name = ""
    for line in lines[:200]:
        match = _FIELD.match(line)
        if match:
            name = match[1].strip()
            fields[name] = match[2].strip()
        elif name and line[:1].isspace() and line.strip():
            fields[name] = f"{fields[name]} {line.strip()}"
        elif fields or line.strip() and not _may_precede_fields(line, lines):
            break
    return fields


def _may_precede_fields(line: str, lines: Sequence[str]) -> bool:
    """Adornments, the title itself, comments and targets may stand above the fields."""
    if _ADORNMENT.match(line) or line.startswith(".. "):
        return True
    at = lines.index(line)
    return at + 1 < len(lines) and _ADORNMENT.match(lines[at + 1].rstrip() or "x") is not None


def _blocks(lines: Sequence[str], titles: Sequence[_Title]) -> list[Block]:
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    levels: dict[str, int] = {}
    heads = {title.line: title for title in titles}
    blocks: list[Block] = []
    n, literal = 0, False
    while n < len(lines):
        title = heads.get(n)
        if title is not None:
            level = levels.setdefault(title.style, len(levels) + 1)
            last = n + title.n_lines - 1
            end = starts[last] + len(lines[last])
            blocks.append(Block(BlockKind.HEADING, starts[n], end, level, title.name))
            n += title.n_lines
            continue
        stop = _end_of_run(lines, n, heads)
        if stop > n:
            last_line = lines[stop - 1]
            end = starts[stop - 1] + len(last_line)
            indented = lines[n][:1].isspace()
            kind = BlockKind.CODE if literal and indented else _kind(lines[n])
            blocks.append(Block(kind, starts[n], end))
            opens = last_line.rstrip().endswith("::") or kind is BlockKind.CODE
            literal = opens or (literal and indented)
        n = max(stop, n + 1)
    return blocks


def _end_of_run(lines: Sequence[str], n: int, heads: dict[int, _Title]) -> int:
    """One past the last line of the run without blank lines that starts at `n`."""
    while n < len(lines) and lines[n].strip() and n not in heads:
        n += 1
    return n


def _kind(line: str) -> BlockKind:
    stripped = line.lstrip()
    if _TABLE.match(stripped):
        return BlockKind.TABLE
    if _CODE.match(stripped):
        return BlockKind.CODE
    return BlockKind.LIST if _BULLET.match(stripped) else BlockKind.PARAGRAPH
