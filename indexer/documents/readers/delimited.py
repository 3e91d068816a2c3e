"""CSV and TSV: the source as it is; the header line is the heading of all rows."""

import csv
import re

from indexer.documents.readers.base import Source, decode_or_reject
from indexer.types import Block, BlockKind, ParsedDocument

_NUMBER = re.compile(r"[-+]?[\d.,:/ %€$]+$")
_MAX_NAMES = 200  # characters of column names in the heading
_MAX_FIELDS = 1_000


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document, one table; the column names stand before every passage."""
    text = decode_or_reject(data)
    columns = _columns(text, source.format)
    first = len(text) - len(text.lstrip())
    line_end = text.find("\n", first)
    if not columns or line_end < 0:
        whole = Block(BlockKind.TABLE, 0, len(text))
        return [ParsedDocument(text=text, format=source.format, blocks=(whole,))]
    heading = Block(BlockKind.HEADING, first, line_end, 1, _named(columns))
    blocks = (heading, Block(BlockKind.TABLE, line_end + 1, max(line_end + 1, len(text))))
    metadata = {"columns": columns[:_MAX_FIELDS]}
    return [ParsedDocument(text=text, format=source.format, blocks=blocks, metadata=metadata)]


def _columns(text: str, format: str) -> list[str]:
    """The column names, if the first line looks like a header."""
    line = text.lstrip()[:10_000].split("\n", 1)[0]
    delimiter = "\t" if format == "tsv" else max(",;\t|", key=line.count)
    try:
        names = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
    names = [" ".join(name.split()) for name in names]
    words = [name for name in names if name and not _NUMBER.match(name)]
    looks_named = len(names) > 1 and len(words) == len(names) == len(set(names))
    return names if looks_named else []


def _named(columns: list[str]) -> str:
    heading = ", ".join(columns)
    return heading if len(heading) <= _MAX_NAMES else f"{heading[:_MAX_NAMES]}…"
