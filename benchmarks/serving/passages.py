"""What every server holds, and what they are asked: read from one collection's catalog."""

import random
import re
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

QUERY_WORDS = 8
# Letters and digits alone: no mark that means something to one server's search (quotes, minus).
# Longer words are minified code and data, which nobody types.
_WORD = re.compile(r"(?<!\w)[^\W_]{2,40}(?!\w)")
_PASSAGE_CHARS = 400  # about 100 tokens, under every server's limit, so that none cuts more


@dataclass(frozen=True)
class Passages:
    """A collection's chunks in order of their ids."""

    ids: list[int]
    texts: list[str]
    vectors: Any  # float32, shape (n, dimension), unit length


def catalog_of(home: Path, collection: str) -> Path:
    return home / "collections" / collection / "catalog.sqlite3"


def read_passages(catalog: Path) -> Passages:
    """Every chunk with its vector, so that peers search the very same rows."""
    with sqlite3.connect(f"file:{catalog}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT c.id, c.text, e.vector FROM chunks c "
            "JOIN embeddings e ON e.id = c.embedding_id ORDER BY c.id"
        ).fetchall()
    vectors = np.frombuffer(b"".join(row[2] for row in rows), "<f2").reshape(len(rows), -1)
    return Passages([row[0] for row in rows], [row[1] for row in rows], vectors.astype(np.float32))


def queries_of(catalog: Path, count: int) -> list[str]:
    """Different queries of eight words in a row, the same ones every time.

    Chunks in random order; each gives its first words, and once all have, its next eight.
    """
    found: dict[str, None] = {}
    for words in _stretches(_texts(catalog)):
        found[" ".join(words)] = None
        if len(found) == count:
            return list(found)
    sys.exit(f"{catalog}: only {len(found)} different queries, {count} are needed")


def documents_of(catalog: Path, count: int) -> list[str]:
    """Different passages to embed, the same ones every time."""
    found = dict.fromkeys(text[:_PASSAGE_CHARS] for text in _texts(catalog))
    if len(found) < count:
        sys.exit(f"{catalog}: only {len(found)} different passages, {count} are needed")
    return list(found)[:count]


def _texts(catalog: Path) -> list[str]:
    with sqlite3.connect(f"file:{catalog}?mode=ro", uri=True) as connection:
        texts = [row[0] for row in connection.execute("SELECT text FROM chunks ORDER BY id")]
    random.Random(7).shuffle(texts)
    return texts


def _stretches(texts: list[str]) -> Iterator[list[str]]:
    left = [_WORD.findall(text) for text in texts]
    while left := [words for words in left if len(words) >= QUERY_WORDS]:
        yield from (words[:QUERY_WORDS] for words in left)
        left = [words[QUERY_WORDS:] for words in left]
