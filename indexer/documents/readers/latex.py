"""LaTeX: the text is the source; sections are headings."""

import re
from collections.abc import Iterator

from indexer.documents.readers.base import Source, decode_or_reject
from indexer.types import Block, BlockKind, ParsedDocument

_LEVELS = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph")
_SECTION = re.compile(
    r"^[ \t]*\\(part|chapter|section|subsection|subsubsection|paragraph)\*?"
    r"(?:\[[^\]\n]*\])?\{",
    re.MULTILINE,
)
_TITLE = re.compile(r"^[ \t]*\\title\s*(?:\[[^\]\n]*\])?\{", re.MULTILINE)
_COMMAND = re.compile(r"\\(?:label|footnote|thanks|cite\w*)\*?\{[^{}]*\}|\\[a-zA-Z]+\*?|[{}~]|\\\\")
_COMMENT = re.compile(r"(?<!\\)%[^\n]*\n?")
_MAX_NAME = 500


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document whose text is the decoded file."""
    text = decode_or_reject(data)
    title = next((name for _, _, name in _named(_TITLE, text)), "")
    blocks = []
    for match, end, name in _named(_SECTION, text):
        level = _LEVELS.index(match[1]) + 1
        blocks.append(Block(BlockKind.HEADING, match.start(), end, level, name))
    return [ParsedDocument(text=text, format=source.format, title=title, blocks=tuple(blocks))]


def _named(pattern: re.Pattern[str], text: str) -> Iterator[tuple[re.Match[str], int, str]]:
    """(match, end, name) of each command whose argument closes."""
    reached = 0
    for match in pattern.finditer(text):
        end = _closing(text, match.end()) if match.start() >= reached else None
        if end is not None:
            reached = end
            name = _COMMAND.sub(" ", _COMMENT.sub(" ", text[match.end() : end - 1]))
            yield match, end, " ".join(name.split())


def _closing(text: str, start: int) -> int | None:
    """One past the brace that closes the one before `start`."""
    depth = 1
    for at in range(start, min(start + _MAX_NAME, len(text))):
        if text[at] in "{}" and text[at - 1] != "\\":
            depth += 1 if text[at] == "{" else -1
            if not depth:
                return at + 1
    return None
