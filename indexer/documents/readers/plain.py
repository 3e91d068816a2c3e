"""Plain text, and every other text without structure we know: the source as it is."""

from indexer.documents.readers.base import Source, decode_or_reject
from indexer.types import ParsedDocument


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document without blocks; the splitter finds paragraphs by itself."""
    return [ParsedDocument(text=decode_or_reject(data), format=source.format)]
