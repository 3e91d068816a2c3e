"""The filter grammar, the same in the shell, over HTTP and in MCP (docs/filters.md)."""

from app.search.where.parser import MAX_CHARS, MAX_DEPTH, parse_where

__all__ = ["MAX_CHARS", "MAX_DEPTH", "parse_where"]
