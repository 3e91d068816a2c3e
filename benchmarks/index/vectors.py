"""Vectors to measure indexes with: real embeddings, and as many more made like them as wanted.

Made vectors are drawn around real ones: a real vector plus a random mix of its differences to its
nearest neighbours, so each lies where the data is dense and varies in the directions in which the
data varies there. The 1,024 dimensions are a fixed smooth map of the 384 that the model gives,
tanh(W x) scaled to length 1, which keeps the order of neighbours nearly and fills all dimensions.
Whether the made ones are like real ones is measured, not assumed: `likeness` compares, for held-out
real queries, the distances to the nearest of n real vectors with those to n made ones that were
drawn from other real ones.

    python benchmarks/index/vectors.py CATALOG.sqlite3 OUT --sizes 10000 200000 1000000
"""

import argparse
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

DIMENSIONS = (384, 1024)
QUERIES = 1_000  # real vectors held out of everything, as queries
NEIGHBOURS = 16  # a made vector varies along the differences to this many
SPREAD = 0.22  # how far, in units of those differences; chosen by `likeness`
NOISE = 0.10  # length of the part in all directions; chosen by `likeness`
BLOCK = 20_000


def real_vectors(catalog: Path) -> Floats:
    """float32, shape (n, 384), unit length, without repeated ones, in a fixed random order."""
    with sqlite3.connect(f"file:{catalog}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT vector FROM embeddings ORDER BY id").fetchall()
    vectors = np.frombuffer(b"".join(row[0] for row in rows), dtype="<f2").reshape(len(rows), -1)
    vectors = np.unique(vectors, axis=0).astype(np.float32)
    return unit(vectors[np.random.default_rng(0).permutation(len(vectors))])


def unit(vectors: Floats) -> Floats:
    """Rows scaled to length 1."""
    scaled: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def neighbours(vectors: Floats, k: int) -> npt.NDArray[np.int32]:
    """The k nearest others of each, shape (n, k), by cosine."""
    found = np.empty((len(vectors), k), np.int32)
    for start in range(0, len(vectors), 2_000):
        scores = vectors[start : start + 2_000] @ vectors.T
        scores[np.arange(len(scores)), start + np.arange(len(scores))] = -2
        found[start : start + 2_000] = np.argpartition(-scores, k, axis=1)[:, :k]
    return found


class Maker:
    """Draws vectors like the given real ones; the same seed gives the same vectors."""

    def __init__(self, seeds: Floats, spread: float = SPREAD, noise: float = NOISE) -> None:
        self._seeds = seeds
        self._near = neighbours(seeds, NEIGHBOURS)
        self._spread, self._noise = spread, noise

    def draw(self, count: int, seed: int) -> Floats:
        """float32, shape (count, 384), unit length."""
        rng = np.random.default_rng(seed)
        chosen = rng.integers(0, len(self._seeds), count)
        start = self._seeds[chosen]
        made = start.copy()
        for column in range(NEIGHBOURS):
            share = rng.normal(0, self._spread, (count, 1)).astype(np.float32)
            made += share * (self._seeds[self._near[chosen, column]] - start)
        noise = rng.standard_normal(made.shape, dtype=np.float32)
        made += noise * np.float32(self._noise / np.sqrt(made.shape[1]))
        return unit(made)


def lift(vectors: Floats, dimension: int) -> Floats:
    """The vectors in `dimension` dimensions: themselves, or tanh(W x) with a fixed random W."""
    if dimension == vectors.shape[1]:
        return vectors
    shape = (vectors.shape[1], dimension)
    weights = np.random.default_rng(1024).standard_normal(shape, dtype=np.float32)
    return unit(np.tanh(vectors @ weights))


def nearest_distances(queries: Floats, base: Floats, k: int = 100) -> Floats:
    """L2 distances to the k nearest, ascending, shape (queries, k)."""
    scores = np.sort(-(queries @ base.T), axis=1)[:, :k]
    distances: Floats = np.sqrt(np.maximum(2 + 2 * scores, 0))
    return distances


def intrinsic_dimension(distances: Floats) -> float:
    """Median over queries of Levina and Bickel's maximum-likelihood estimate (NIPS 2004)."""
    ratios = np.log(distances[:, -1:] / np.maximum(distances[:, :-1], 1e-9))
    return float(np.median(1 / np.mean(ratios, axis=1)))


def likeness(real: Floats, dimension: int, **knobs: float) -> dict[str, dict[str, Any]]:
    """Distances of held-out real queries to n real vectors, and to n made from n others."""
    queries, rest = real[:QUERIES], real[QUERIES:]
    half = len(rest) // 2
    bases = {"real": rest[half : 2 * half], "made": Maker(rest[:half], **knobs).draw(half, seed=7)}
    table = {}
    for name, base in bases.items():
        distances = nearest_distances(lift(queries, dimension), lift(base, dimension))
        own = nearest_distances(lift(base[:QUERIES], dimension), lift(base, dimension))[:, 1:]
        table[name] = {
            "n": half,
            **{f"nearest_{k}": _quantiles(distances[:, k - 1]) for k in (1, 10, 100)},
            "own_nearest_10": _quantiles(own[:, 9]),
            "intrinsic_dimension": round(intrinsic_dimension(distances), 1),
        }
    return table


def _quantiles(values: Floats) -> list[float]:
    return [round(float(v), 3) for v in np.quantile(values, (0.1, 0.5, 0.9))]


def write_base(real: Floats, maker: Maker, folder: Path, n: int, dimension: int) -> Path:
    """Raw float16 rows: all real vectors but the held-out ones first, made ones after them.

    So a smaller base is the beginning of a larger one.
    """
    path = folder / f"base-{n}-{dimension}.f16"
    seeds = real[QUERIES:]
    with open(path.with_suffix(".tmp"), "wb") as file:
        file.write(lift(seeds[:n], dimension).astype("<f2").tobytes())
        for number, start in enumerate(range(min(n, len(seeds)), n, BLOCK)):
            made = lift(maker.draw(BLOCK, seed=100 + number), dimension)[: n - start]
            file.write(made.astype("<f2").tobytes())
    path.with_suffix(".tmp").rename(path)
    return path


def main() -> None:
    """Write queries and bases; print the likeness."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sizes", type=int, nargs="*", default=[])
    parser.add_argument("--dimensions", type=int, nargs="*", default=list(DIMENSIONS))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    real = real_vectors(arguments.catalog)
    report: dict[str, Any] = {"real": len(real)}
    for dimension in arguments.dimensions:
        report[str(dimension)] = likeness(real, dimension)
        np.save(arguments.out / f"queries-{dimension}.npy", lift(real[:QUERIES], dimension))
    print(json.dumps(report, indent=1))
    (arguments.out / "likeness.json").write_text(json.dumps(report, indent=1))
    maker = Maker(real[QUERIES:])
    for n in arguments.sizes:
        for dimension in arguments.dimensions:
            print(write_base(real, maker, arguments.out, n, dimension), flush=True)


if __name__ == "__main__":
    main()
