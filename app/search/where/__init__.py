"""The filter grammar, the same in the shell, over HTTP and in MCP (docs/filters.md)."""

from app.search.where.parser import MAX_CHARS, MAX_DEPTH, parse_where
from app.search.where.written import where_to_text

__all__ = ["MAX_CHARS", "MAX_DEPTH", "parse_where", "where_to_text"]
