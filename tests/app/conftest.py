"""Fixtures of the app's tests; see tests_support."""

from tests_support import cli, indexed, searching

__all__ = ["cli", "indexed", "searching"]
