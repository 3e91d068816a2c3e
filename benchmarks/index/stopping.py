"""When to stop scanning lists: after a fixed number, or by how much worse a list's centre scores.

    python benchmarks/index/stopping.py VECTORS --n 200000 --dimension 1024

Each rule is set so that moved passages find TARGET of their ten nearest, as a build would set it,
and then tried on real queries that were held out. Counts are of lists; what the codes themselves
miss is not part of it. The figures of docs/decisions/0015-the-vector-index.md.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from truth import read_vectors, vectors_parser

from indexer.storage.vectors.choice import choose_codes
from indexer.storage.vectors.library import flat_view, import_faiss, threads
from indexer.storage.vectors.measure import moved_away

TARGET = 0.993
QUERIES = 500

# What a list's score is measured by, from the scores of all lists, best first, and its own: the
# less, the sooner it is scanned. Shapes (queries, lists) and (queries, any).
RULES: dict[str, Callable[[Any, Any], Any]] = {
    "gap to the best": lambda every, own: every[:, :1] - own,
    "gap, by that of the mean": lambda every, own: (
        (every[:, :1] - own) / (every[:, :1] - every.mean(1, keepdims=True))
    ),
}


class Asked:
    """Queries, and in which lists their ten nearest lie."""

    def __init__(self, queries: Any, nearest: Any, centres: Any, list_of: Any) -> None:
        scores, lists = centres.quantizer.search(queries, centres.nlist)
        self.scores = scores
        ranks = np.argsort(lists, axis=1)
        self.ranks = np.take_along_axis(ranks, list_of[nearest], 1)
        self.own = np.take_along_axis(scores, self.ranks, 1)


def main() -> None:
    """A line for each rule and kind of query."""
    given = vectors_parser(__doc__).parse_args()
    rows, held_out = read_vectors(given)
    real = held_out[:QUERIES]
    taken = np.sort(np.random.default_rng(5).permutation(given.n)[:QUERIES])
    moved = moved_away(rows[taken].astype(np.float32))
    with threads(2):
        centres, list_of = _lists(rows, choose_codes(given.n, given.dimension).lists)
        found = flat_view(rows).search(moved, 11)[1]
        others = np.stack([f[f != own][:10] for f, own in zip(found, taken, strict=True)])
        tuned = Asked(moved, others, centres, list_of)
        tried = Asked(real, flat_view(rows).search(real, 10)[1], centres, list_of)
    fixed = int(np.quantile(tuned.ranks, TARGET)) + 1
    for name, asked in (("moved", tuned), ("held out", tried)):
        print(f"{fixed} lists, {name}: {(asked.ranks < fixed).mean():.4f}")
    for rule, measured in RULES.items():
        limit = np.quantile(measured(tuned.scores, tuned.own), TARGET)
        for name, asked in (("moved", tuned), ("held out", tried)):
            share = (measured(asked.scores, asked.own) <= limit).mean()
            counts = (measured(asked.scores, asked.scores) <= limit).sum(axis=1)
            print(
                f"{rule}, {name}: {share:.4f}, lists mean {counts.mean():.0f}, "
                f"median {np.median(counts):.0f}, 99 % {np.quantile(counts, 0.99):.0f}"
            )


def _lists(rows: Any, count: int) -> tuple[Any, Any]:
    """(index whose quantizer holds the centres, number of the list of each row)."""
    faiss = import_faiss()
    index = faiss.index_factory(rows.shape[1], f"IVF{count},Flat", faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = 8
    chosen = np.random.default_rng(6).permutation(len(rows))[: 40 * count]
    index.train(rows[np.sort(chosen)].astype(np.float32))
    blocks = [rows[start : start + 20_000] for start in range(0, len(rows), 20_000)]
    list_of = [index.quantizer.search(b.astype(np.float32), 1)[1][:, 0] for b in blocks]
    return index, np.concatenate(list_of)


if __name__ == "__main__":
    main()
