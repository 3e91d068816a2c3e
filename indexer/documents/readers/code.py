"""Source code by definitions: by tree-sitter, or by lines that look like one."""

import re
from collections.abc import Iterator, Sequence

from indexer.documents.readers.base import Source, decode_or_reject
from indexer.documents.readers.grammars import Definition, definitions
from indexer.types import Block, BlockKind, ParsedDocument

# A definition on a line by itself at the margin, in the manner of some forty languages.
_DEFINING = re.compile(
    r"^(?:(?:export|default|pub(?:\([^)\n]{0,40}\))?|public|private|protected|internal|static|async"
    r"|abstract|final|sealed|partial|open|override|inline|local|data|unsafe|extern|virtual)[ \t]+)*"
    r"(?:def|defp|defmodule|class|function|func|fun|fn|sub|proc|procedure|module|namespace|struct"
    r"|enum|interface|trait|impl|protocol|extension|object|record|message|service|union|type"
    r"|package|resource|variable|CREATE[ \t]+(?:OR[ \t]+REPLACE[ \t]+)?(?:TEMP[ \t]+)?"
    r"(?:TABLE|VIEW|FUNCTION|PROCEDURE|INDEX|TRIGGER)(?:[ \t]+IF[ \t]+NOT[ \t]+EXISTS)?)"
    r"[ \t]+[\"`'\[]?([\w.:$-]*[\w$])",
    re.MULTILINE | re.IGNORECASE,
)
_WORD = re.compile(r"\w")
_SHELL = re.compile(
    r"^(?:function[ \t]+(?=[\w:.-]+[ \t]*(?:\(\))?[ \t\n]*\{)|(?=[\w:.-]+[ \t]*\(\)))([\w:.-]+)",
    re.MULTILINE,
)
_SECTION = re.compile(r"^\[+([^\[\]\n]{1,200})\]+[ \t]*(?:[#;].*)?$", re.MULTILINE)
_KEY = re.compile(r"^([A-Za-z_][\w.-]{0,100}):(?:[ \t].*)?$", re.MULTILINE)
_TARGET = re.compile(r"^([\w./%-]{1,100})[ \t]*:(?![=:])", re.MULTILINE)
_HUNK = re.compile(r"^diff --git a/(.+?) b/", re.MULTILINE)
_RULES = {
    "shell": _SHELL,
    "ini": _SECTION,
    "toml": _SECTION,
    "yaml": _KEY,
    "make": _TARGET,
    "diff": _HUNK,
}
_PROSE_LIKE = ("css", "docker", "nix", "batch")


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document whose text is the decoded file; each definition opens a section."""
    text = decode_or_reject(data)
    found = definitions(text, source.format)
    blocks = list(_by_lines(text, source.format)) if found is None else _nested(text, found)
    return [ParsedDocument(text=text, format=source.format, blocks=tuple(blocks))]


def _by_lines(text: str, language: str) -> Iterator[Block]:
    if language in _PROSE_LIKE:
        return
    matches = list(_RULES.get(language, _DEFINING).finditer(text))
    ends = [*(match.start() for match in matches), len(text)][1:]
    for match, end in zip(matches, ends, strict=True):
        yield Block(BlockKind.CODE, match.start(), end, 1, match[1])


def _nested(text: str, found: Sequence[Definition]) -> list[Block]:
    """Blocks of definitions, and nameless ones for what stands between them."""
    blocks: list[Block] = []
    _fill(blocks, text, found, 0, len(text), 1)
    return blocks


def _fill(
    blocks: list[Block],
    text: str,
    found: Sequence[Definition],
    start: int,
    end: int,
    level: int,
) -> None:
    """Blocks for text[start:end], which holds the definitions `found`."""
    at = start
    for each in found:
        _add_between(blocks, text, at, each.start, level)
        first = each.inner[0].start if each.inner else each.end
        blocks.append(Block(BlockKind.CODE, each.start, first, level, each.name))
        if each.inner:
            _fill(blocks, text, each.inner, first, each.end, level + 1)
        at = each.end
    _add_between(blocks, text, at, end, level)


def _add_between(blocks: list[Block], text: str, start: int, end: int, level: int) -> None:
    between = text[start:end]
    if _WORD.search(between):  # more than closing brackets
        start += len(between) - len(between.lstrip())
        blocks.append(Block(BlockKind.CODE, start, end, level))
