"""FAISS's ways to scan inverted lists of 4-bit codes for one query: which is the fastest.

    python benchmarks/index/one_query.py VECTORS --n 200000 --dimension 1024

Medians over real queries that were held out, one thread, the ways in turns. 0 is FAISS's own
choice; 10 and 11 go list by list, 12 and 13 take several queries together, the odd ones of each
collect candidates in a reservoir instead of a heap. The figures of
docs/decisions/0015-the-vector-index.md.
"""

import time
from typing import Any

import numpy as np
from truth import read_vectors, vectors_parser

from indexer.storage.vectors.choice import choose_codes
from indexer.storage.vectors.codes import Codes
from indexer.storage.vectors.library import threads

WAYS = (0, 10, 11, 12, 13)
QUERIES, CANDIDATES, ROUNDS = 300, 80, 5


def main() -> None:
    """A line for each number of lists."""
    given = vectors_parser(__doc__).parse_args()
    rows, held_out = read_vectors(given)
    spec = choose_codes(given.n, given.dimension)
    chosen = np.sort(np.random.default_rng(5).permutation(given.n)[: 40 * spec.lists])
    with threads(2):
        codes = Codes.train(spec, rows[chosen].astype(np.float32))
        for _ in codes.add(rows):
            pass
    for lists in (spec.lists // 8, spec.lists // 4):
        times = _times(codes, held_out[:QUERIES], lists)
        best = min(times.values())
        shown = [f"{way}: {ms:.3f} ms ({ms / best:.2f}x)" for way, ms in times.items()]
        print(f"{lists} of {spec.lists} lists:", *shown)


def _times(codes: Codes, queries: Any, lists: int) -> dict[int, float]:
    """{way: median ms of a query}."""
    found: dict[int, list[float]] = {way: [] for way in WAYS}
    with threads(1):
        for _ in range(ROUNDS):
            for way in WAYS:
                codes._index.implem = way  # no product code needs another
                for query in queries:
                    started = time.perf_counter()
                    codes.nearest_codes(query[None], CANDIDATES, lists)
                    found[way].append((time.perf_counter() - started) * 1000)
    return {way: float(np.median(some)) for way, some in found.items()}


if __name__ == "__main__":
    main()
