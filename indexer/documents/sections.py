"""From a flat list of blocks to passages that keep sections together."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from indexer.documents import graphemes
from indexer.types import Block, BlockKind

Path = tuple[str, ...]
Measure = Callable[[int, int], int]  # (start, end) -> tokens of that stretch of text

# A passage below this share of the target is a scrap: it joins a neighbour that has room.
_SCRAP_SHARE = 8
_MAX_DEPTH = 32  # deeper headings count as this deep: nobody writes them, hostile files do


@dataclass(slots=True)
class Section:
    """A heading (or code definition) with its own text, and the sections below it."""

    start: int
    end: int  # of its own text, without its children's
    level: int
    path: Path
    has_body: bool = False  # text besides headings and front matter
    children: list["Section"] = field(default_factory=list)

    @property
    def last(self) -> int:
        """Where the last section below it ends."""
        section = self
        while section.children:
            section = section.children[-1]
        return section.end


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of text that belongs together, and the heading path all of it shares."""

    start: int
    end: int
    path: Path
    has_body: bool = True


def is_opener(block: Block) -> bool:
    """True for blocks that open a section: headings and code definitions with a level."""
    return block.level > 0 and block.kind in (BlockKind.HEADING, BlockKind.CODE)


def build_tree(text: str, blocks: tuple[Block, ...]) -> Section:
    """The sections of a text under a nameless root.

    A heading without a name closes the sections above it.
    """
    root = Section(0, len(text), 0, ())
    stack = [root]
    current, covered = root, 0
    for block in blocks:
        if not current.has_body and text[covered : block.start].strip():
            current.has_body = True
        if is_opener(block):
            # A block of a strange file may start within a grapheme.
            start = max(stack[-1].start, graphemes.floor(text, block.start, 0))
            current = _open(stack, block, start, len(text))
        if block.kind is not BlockKind.HEADING:
            current.has_body = True
        covered = block.end
    if text[covered:].strip():
        current.has_body = True
    return root


def _open(stack: list[Section], block: Block, start: int, end: int) -> Section:
    level = min(block.level, _MAX_DEPTH)
    previous = stack[-1]
    previous.end = start
    while stack[-1].level >= level:
        stack.pop()
    parent = stack[-1]
    path = (*parent.path, block.heading) if block.heading else parent.path
    section = Section(start, end, level, path)
    parent.children.append(section)
    stack.append(section)
    return section


def pack(text: str, root: Section, measure: Measure, target: int) -> list[Passage]:
    """Passages that cover the text in order.

    A section that fits in `target` tokens with all below it stays whole; small neighbours under one
    parent are joined up to `target`; a long text without headings stays one passage, split later.
    """
    passages = _absorb_blanks(text, _pack(root, measure, target))
    return _absorb_scraps(passages, measure, target)


def _pack(section: Section, measure: Measure, target: int) -> list[Passage]:
    if not section.children:
        return [Passage(section.start, section.end, section.path, section.has_body)]
    if measure(section.start, section.last) <= target:
        return [Passage(section.start, section.last, _shared_path(section))]
    done: list[Passage] = []
    waiting: Passage | None = None
    for item in _items(section):
        fits = measure(item.start, item.last) <= target
        parts = [_whole(item)] if fits else _pack(item, measure, target)
        if waiting is not None:
            joined = _join(waiting, parts[0])
            if not waiting.has_body or (fits and measure(joined.start, joined.end) <= target):
                parts[0] = joined
            else:
                done.append(waiting)
        done.extend(parts[:-1])
        waiting = parts[-1]
        if not fits and waiting.has_body:
            done.append(waiting)
            waiting = None
    return done if waiting is None else [*done, waiting]


def _items(section: Section) -> Iterator[Section]:
    """The section's own text as a section without children, then its children."""
    if section.end > section.start:
        yield Section(section.start, section.end, section.level, section.path, section.has_body)
    yield from section.children


def _whole(section: Section) -> Passage:
    body = section.has_body or bool(section.children)
    return Passage(section.start, section.last, _shared_path(section), body)


def _shared_path(section: Section) -> Path:
    """The path of all text in a section: its own, or its only child's if it has no text itself."""
    while section.start == section.end and len(section.children) == 1:
        section = section.children[0]
    return section.path


def _join(first: Passage, second: Passage) -> Passage:
    # A heading alone (or front matter, whose path is empty) says nothing below what follows it.
    opens = not first.has_body and second.path[: len(first.path)] == first.path
    path = second.path if opens else tuple(os.path.commonprefix([first.path, second.path]))
    return Passage(first.start, second.end, path, first.has_body or second.has_body)


def _absorb_blanks(text: str, passages: list[Passage]) -> list[Passage]:
    """Give white space that stands alone to the passage before it, or the first one after it."""
    done: list[Passage] = []
    start = 0
    for passage in passages:
        if text[passage.start : passage.end].strip():
            done.append(replace(passage, start=start))
        elif done:
            done[-1] = replace(done[-1], end=passage.end)
        start = done[-1].end if done else start
    return done


def _absorb_scraps(passages: list[Passage], measure: Measure, target: int) -> list[Passage]:
    """Join each tiny passage to the one before it, where both share a parent and the sum fits."""
    done: list[Passage] = []
    for passage in passages:
        if done and measure(passage.start, passage.end) * _SCRAP_SHARE <= target:
            joined = _join(done[-1], passage)
            related = len(joined.path) >= len(passage.path) - 1
            if related and measure(joined.start, joined.end) <= target:
                done[-1] = joined
                continue
        done.append(passage)
    return done
