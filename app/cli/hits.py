"""Hits as a terminal shows them: where, why, and the passage with its matching words marked."""

import re
import sys

from app.cli.output import print_line, printable, shown_path, use_color
from app.search.answer import Answer, Hit
from app.search.file_state import FileState
from app.search.snippets import snippet
from indexer.types import StoredChunk

_FILE_NOTES = {
    FileState.CHANGED: "changed since it was indexed",
    FileState.MISSING: "no longer there",
}


def show(answer: Answer, *, several: bool) -> None:
    """Print the hits; `several`: they come from more than one collection."""
    color = use_color(sys.stdout)
    for hit in answer.hits:
        for line in _lines(hit, answer.query, color=color, several=several):
            print_line(line)


def _lines(hit: Hit, query: str, *, color: bool, several: bool) -> list[str]:
    lines = [_head(hit, color=color, several=several)]
    lines += [f"    | {_one_line(chunk.text)}" for chunk in hit.before]
    lines.append(f"    {_passage(hit.chunk, query, color=color)}")
    lines += [f"    | {_one_line(chunk.text)}" for chunk in hit.after]
    shown = {chunk.id for chunk in (*hit.before, *hit.after)}
    for match in hit.more:
        if match.chunk.id not in shown:
            passage = _passage(match.chunk, query, color=color)
            lines.append(f"      :{match.chunk.start_line}  {passage}")
    if hit.duplicates:
        lines.append("    same text: " + ", ".join(_same_text(hit)))
    return lines


def _head(hit: Hit, *, color: bool, several: bool) -> str:
    bold, plain = ("\x1b[1m", "\x1b[0m") if color else ("", "")
    chunk = hit.chunk
    where = f"{_name(chunk.path, chunk.member)}:{chunk.start_line}"
    head = f"{hit.rank:>2}. {hit.score:.3f}  {bold}{where}{plain}"
    if several:
        head += f"  [{hit.collection}]"
    about = [part for part in (" > ".join(chunk.heading) or chunk.title, chunk.place) if part]
    if about:
        head += f"  {printable(' - '.join(about))}"
    note = None if hit.file is None else _FILE_NOTES.get(hit.file)
    return head if note is None else f"{head}  ({note})"


def _same_text(hit: Hit) -> list[str]:
    """Names of the duplicates; of very many, the first few and how many more."""
    names = [_name(other.path, other.member) for other in hit.duplicates[:3]]
    rest = len(hit.duplicates) - len(names)
    return [*names, f"{rest:,} more"] if rest else names


def _name(path: bytes, member: str) -> str:
    return shown_path(path) + (f"#{printable(member)}" if member else "")


def _passage(chunk: StoredChunk, query: str, *, color: bool) -> str:
    """The snippet on one line, matches marked: by colour on a terminal, else by asterisks."""
    cut = snippet(chunk.text, query)
    before = "... " if cut.start > 0 else ""
    after = " ..." if cut.start + len(cut.text) < len(chunk.text) else ""
    return f"{before}{_marked(cut.text, cut.matches, color=color)}{after}"


def _marked(text: str, matches: tuple[tuple[int, int], ...], *, color: bool) -> str:
    on, off = ("\x1b[1;33m", "\x1b[0m") if color else ("*", "*")
    parts: list[str] = []
    at = 0
    for start, end in matches:
        parts += [printable(_folded(text[at:start])), on, printable(text[start:end]), off]
        at = end
    parts.append(printable(_folded(text[at:])))
    return "".join(parts).strip()


def _one_line(text: str) -> str:
    return printable(_folded(text)).strip()


def _folded(text: str) -> str:
    """Runs of white space as one space, so that a passage is one line."""
    return re.sub(r"\s+", " ", text)
