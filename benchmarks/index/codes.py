"""How many candidates codes of each size need, for real queries and for those we measure with.

    python benchmarks/index/codes.py VECTORS --n 200000 --dimension 1024 --subquantizers 256 128 64

The tables of docs/decisions/0015-the-vector-index.md. `--residual` codes what a row differs from
the centre of its list, as `PQ..x4fsr` of FAISS does.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from truth import read_vectors, recall, vectors_parser

from indexer.storage.vectors.choice import CodeSpec, choose_codes
from indexer.storage.vectors.codes import Codes
from indexer.storage.vectors.library import flat_view, threads
from indexer.storage.vectors.measure import moved_away

CANDIDATES = (20, 40, 80, 160, 320, 640)
QUERIES = 400


@dataclass(frozen=True)
class Residual(CodeSpec):
    """Codes of differences from the centres."""

    @property
    def factory(self) -> str:
        """For `faiss.index_factory`."""
        return f"{super().factory}r"


def main() -> None:
    """One line for each code size, share of lists and kind of query."""
    parser = vectors_parser(__doc__)
    parser.add_argument("--subquantizers", type=int, nargs="*", default=[256, 128, 64])
    parser.add_argument("--residual", action="store_true")
    given = parser.parse_args()
    rows, held_out = read_vectors(given)
    spec_of = Residual if given.residual else CodeSpec
    chosen = np.random.default_rng(5).permutation(given.n)
    queries = {
        "held out": held_out[:QUERIES],
        "moved": moved_away(rows[np.sort(chosen[:QUERIES])].astype(np.float32)),
    }
    lists = choose_codes(given.n, given.dimension).lists
    with threads(2):
        truth = {name: flat_view(rows).search(q, 10)[1] for name, q in queries.items()}
        for subquantizers in given.subquantizers:
            sample = rows[np.sort(chosen[QUERIES : QUERIES + 40 * lists])].astype(np.float32)
            codes = Codes.train(spec_of(lists, subquantizers), sample)
            for _ in codes.add(rows):
                pass
            for scanned in (lists // 4, lists):
                for name, some in queries.items():
                    found = codes.nearest_codes(some, CANDIDATES[-1], scanned)
                    shares = [_share(found[:, :count], truth[name]) for count in CANDIDATES]
                    print(f"{subquantizers // 2} bytes, {scanned}/{lists} lists, {name}:", *shares)


def _share(found: Any, truth: Any) -> str:
    hits = [np.intersect1d(f, t).tolist() for f, t in zip(found, truth, strict=True)]
    return f"{recall(hits, truth):.4f}"


if __name__ == "__main__":
    main()
