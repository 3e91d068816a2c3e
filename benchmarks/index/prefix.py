"""Whether codes should see a prefix of each row as it is, or at unit length, and what it finds.

    python benchmarks/index/prefix.py VECTORS --n 36000 --dimension 384 --prefix 96 192

Rows are turned so that their first dimensions hold most (principal axes, as MRL training aims at),
or left as they are, where a prefix is just a part. The recall is of whole rows, by so many
candidates; the figures of docs/decisions/0015-the-vector-index.md.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from truth import recall

from indexer.storage.vectors.choice import choose_codes
from indexer.storage.vectors.codes import Codes
from indexer.storage.vectors.library import Floats, flat_view, threads
from indexer.storage.vectors.measure import moved_away
from indexer.storage.vectors.prefix import seen

CANDIDATES = (10, 20, 40, 80, 160, 320, 640)
QUERIES = 500


def main() -> None:
    """One line for each order of dimensions, prefix, scaling and kind of query."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--n", type=int, default=36_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--prefix", type=int, nargs="*", default=[96, 192])
    given = parser.parse_args()
    base = np.memmap(given.vectors / f"base-{given.n}-{given.dimension}.f16", "<f2", "r")
    rows = base.reshape(-1, given.dimension).astype(np.float32)
    held_out = np.load(given.vectors / f"queries-{given.dimension}.npy")[:QUERIES]
    axes = np.linalg.eigh(rows.T @ rows)[1][:, ::-1].astype(np.float32)
    for order, turn in (("principal", axes), ("as it is", np.eye(given.dimension, dtype="f4"))):
        turned = rows @ turn
        chosen = np.random.default_rng(5).permutation(len(rows))[:QUERIES]
        queries = {
            "held out": held_out.astype(np.float32) @ turn,
            "moved": moved_away(turned[np.sort(chosen)]),
        }
        for prefix in given.prefix:
            compare(order, turned.astype(np.float16), queries, prefix)


def compare(order: str, rows: Any, queries: dict[str, Floats], prefix: int) -> None:
    """Print what codes of this prefix find, the prefix as it is and at unit length."""
    spec = choose_codes(len(rows), prefix)
    parts = {
        "as it is": np.ascontiguousarray(rows[:, :prefix], np.float32),
        "unit length": seen(rows, prefix),
    }
    with threads(2):
        truth = {name: flat_view(rows).search(some, 10)[1] for name, some in queries.items()}
        for scaling, part in parts.items():
            codes = Codes.train(spec, part[:: max(1, len(part) // (40 * spec.lists))])
            for _ in codes.add(part):
                pass
            for name, some in queries.items():
                found = codes.nearest_codes(some, CANDIDATES[-1], spec.lists)
                shares = [_share(found[:, :count], truth[name]) for count in CANDIDATES]
                print(f"{order}, first {prefix} {scaling}, {name}:", *shares, flush=True)


def _share(found: Any, truth: Any) -> str:
    hits = [np.intersect1d(f, t).tolist() for f, t in zip(found, truth, strict=True)]
    return f"{recall(hits, truth):.3f}"


if __name__ == "__main__":
    main()
