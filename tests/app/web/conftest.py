"""Fixtures of the page's tests; see page_support."""

from page_support import address, browser, library, watched

__all__ = ["address", "browser", "library", "watched"]
