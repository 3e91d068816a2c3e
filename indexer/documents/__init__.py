"""Discover, read and chunk documents."""
