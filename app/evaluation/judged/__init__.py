"""Judged sets: queries, and which documents answer them."""
