"""Answering queries."""
