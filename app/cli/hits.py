"""Hits as a terminal shows them: where, why, and the passage with its matching words marked.

They come in the public JSON shape, from this process or from a running service, so that showing
them needs none of what finding them does.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from app.cli.output import print_line, printable, shown_path, use_color

_FILE_NOTES = {"changed": "changed since it was indexed", "missing": "no longer there"}
_DUPLICATES = 3  # named; of more only the number is said

Values = Mapping[str, Any]


def show(hits: Sequence[Values], *, several: bool) -> None:
    """Print the hits of an answer; `several`: they come from more than one collection."""
    color = use_color(sys.stdout)
    for hit in hits:
        for line in _lines(hit, color=color, several=several):
            print_line(line)


def _lines(hit: Values, *, color: bool, several: bool) -> list[str]:
    lines = [_head(hit, color=color, several=several)]
    lines += [f"    | {_one_line(chunk['text'])}" for chunk in hit["before"]]
    lines.append(f"    {_passage(hit, color=color)}")
    lines += [f"    | {_one_line(chunk['text'])}" for chunk in hit["after"]]
    shown = {chunk["id"] for chunk in (*hit["before"], *hit["after"])}
    for match in hit["more"]:
        if match["chunk"]["id"] not in shown:
            line = match["chunk"]["start_line"]
            lines.append(f"      :{line}  {_passage(match, color=color)}")
    if hit["duplicates"]:
        lines.append("    same text: " + ", ".join(_duplicates(hit["duplicates"])))
    return lines


def _head(hit: Values, *, color: bool, several: bool) -> str:
    bold, plain = ("\x1b[1m", "\x1b[0m") if color else ("", "")
    document, chunk = hit["document"], hit["chunk"]
    where = f"{_name(document)}:{chunk['start_line']}"
    head = f"{hit['rank']:>2}. {hit['score']:.3f}  {bold}{where}{plain}"
    if several:
        head += f"  [{hit['collection']}]"
    about = [part for part in (chunk["heading"] or document["title"], chunk["place"]) if part]
    if about:
        head += f"  {printable(' - '.join(about))}"
    note = _FILE_NOTES.get(document["file"])
    return head if note is None else f"{head}  ({note})"


def _duplicates(documents: Sequence[Values]) -> list[str]:
    names = [_name(document) for document in documents[:_DUPLICATES]]
    rest = len(documents) - len(names)
    return [*names, f"{rest:,} more"] if rest else names


def _name(document: Values) -> str:
    member = printable(document["member"])
    return shown_path(document["path"]) + (f"#{member}" if member else "")


def _passage(match: Values, *, color: bool) -> str:
    """The snippet on one line, matches marked: by colour on a terminal, else by asterisks."""
    cut, whole = match["snippet"], match["chunk"]["text"]
    before = "... " if cut["start"] > 0 else ""
    after = " ..." if cut["start"] + len(cut["text"]) < len(whole) else ""
    return f"{before}{_marked(cut['text'], cut['matches'], color=color)}{after}"


def _marked(text: str, matches: Sequence[Sequence[int]], *, color: bool) -> str:
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
