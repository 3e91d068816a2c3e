"""Markdown: the text is the source itself, the blocks are those of CommonMark with tables."""

import html
import re
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

from indexer.documents.readers.base import Source, decode_or_reject
from indexer.documents.readers.frontmatter import split_front_matter
from indexer.types import Block, BlockKind, ParsedDocument

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_KINDS = {
    "paragraph_open": BlockKind.PARAGRAPH,
    "blockquote_open": BlockKind.PARAGRAPH,
    "bullet_list_open": BlockKind.LIST,
    "ordered_list_open": BlockKind.LIST,
    "table_open": BlockKind.TABLE,
    "fence": BlockKind.CODE,
    "code_block": BlockKind.CODE,
    "html_block": BlockKind.PARAGRAPH,
}
_MARKED = re.compile(r"[\[\]`*_~<>\\{}&]")
_MARKUP = (
    (re.compile(r"\s*\{[:#. ][^{}]*\}\s*$"), ""),  # attribute lists: {#anchor}
    (re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])"), r"\1"),  # links, images
    (re.compile(r"<[^<>]*>"), ""),
    (re.compile(r"(`+)(.+?)\1"), r"\2"),
    (re.compile(r"\*+|~~"), ""),
    (re.compile(r"(?<![\w\\])_+([^_]+)_+(?!\w)"), r"\1"),
)
# An escaped character is no markup: it hides in the private use area while markup is removed.
_PRIVATE = 0xE000
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_HELD = re.compile("[\ue021-\ue07e]")
_MAX_HEADING = 500


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document whose text is the decoded file, so that lines are those of the file."""
    return [parse_text(decode_or_reject(data), source.format)]


def parse_text(text: str, format: str) -> ParsedDocument:
    """The document of Markdown source that is already clean text."""
    body_start, values = split_front_matter(text)
    blocks = _blocks(text, body_start)
    if body_start:
        # A heading of level 0 opens nothing: front matter goes along with what follows it.
        blocks.insert(0, Block(BlockKind.HEADING, 0, len(text[:body_start].rstrip())))
    title = values.get("title")
    return ParsedDocument(
        text=text,
        format=format,
        title=title.strip() if isinstance(title, str) and title.strip() else _title(blocks),
        blocks=tuple(blocks),
        metadata=values,
    )


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    # Only where blocks lie is asked, and inline parsing is most of the work.
    return MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"])


def _blocks(text: str, body_start: int) -> list[Block]:
    body = text[body_start:]
    tokens = _parser().parse(body)
    line_starts = list(accumulate((len(line) + 1 for line in body.split("\n")), initial=body_start))
    line_starts[-1] = len(text)
    blocks: list[Block] = []
    for n, token in enumerate(tokens):
        if token.level or token.map is None:
            continue
        start, end = line_starts[token.map[0]], line_starts[token.map[1]]
        end = start + len(text[start:end].rstrip())
        if token.type == "heading_open":
            name = bare_heading(tokens[n + 1].content)  # the token of its inline text
            blocks.append(Block(BlockKind.HEADING, start, end, int(token.tag[1]), name))
        elif token.type in _KINDS and end > start:
            blocks.append(Block(_kind(token), start, end))
    return blocks


def _kind(token: "Token") -> BlockKind:
    if token.type == "html_block" and token.content.lstrip()[:6].lower() == "<table":
        return BlockKind.TABLE
    return _KINDS[token.type]


def _title(blocks: list[Block]) -> str:
    """The first heading of level 1, or a heading of any level that opens the text."""
    for block in blocks:
        if block.level == 1 and block.heading:
            return block.heading
    opening = next((block for block in blocks if not _is_front_matter(block)), None)
    return opening.heading if opening is not None and opening.level else ""


def _is_front_matter(block: Block) -> bool:
    return block.kind is BlockKind.HEADING and not block.level


def bare_heading(content: str) -> str:
    """A heading's name without inline markup."""
    name = content[:_MAX_HEADING].strip()
    if _MARKED.search(name):
        name = _ESCAPED.sub(lambda escaped: chr(_PRIVATE + ord(escaped[1])), name)
        for pattern, kept in _MARKUP:
            name = pattern.sub(kept, name)
        name = _HELD.sub(lambda held: chr(ord(held[0]) - _PRIVATE), html.unescape(name))
    return " ".join(name.split())
