"""The exact answer, by numpy, block after block: what every engine is held against."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

BLOCK = 50_000


def vectors_parser(description: str | None) -> argparse.ArgumentParser:
    """Of a script that tries something on what `vectors.py` wrote."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--dimension", type=int, default=1024)
    return parser


def read_vectors(given: argparse.Namespace) -> tuple[Any, Any]:
    """(rows, float16, shape (n, dimension), mapped; real queries that were held out, float32)."""
    base = np.memmap(given.vectors / f"base-{given.n}-{given.dimension}.f16", "<f2", "r")
    held_out = np.load(given.vectors / f"queries-{given.dimension}.npy")
    return base.reshape(-1, given.dimension), held_out.astype(np.float32)


def nearest(base: Path, queries: Any, k: int = 100) -> tuple[Any, Any]:
    """(row numbers, scores) of the k nearest rows, shapes (n, k); kept beside the base."""
    kept = base.with_suffix(f".truth-{len(queries)}-{k}.npz")
    if kept.exists():
        with np.load(kept) as file:
            return file["ids"], file["scores"]
    rows = np.memmap(base, "<f2", "r").reshape(-1, queries.shape[1])
    ids = np.empty((len(queries), 0), np.int64)
    scores = np.empty((len(queries), 0), np.float32)
    for start in range(0, len(rows), BLOCK):
        block = queries @ np.asarray(rows[start : start + BLOCK]).astype(np.float32).T
        scores = np.concatenate([scores, block], axis=1)
        new = np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)
        ids = np.concatenate([ids, new], axis=1)
        best = np.argpartition(-scores, min(k, scores.shape[1]) - 1, axis=1)[:, :k]
        ids, scores = np.take_along_axis(ids, best, 1), np.take_along_axis(scores, best, 1)
    order = np.argsort(-scores, axis=1)
    ids, scores = np.take_along_axis(ids, order, 1), np.take_along_axis(scores, order, 1)
    np.savez(kept, ids=ids, scores=scores)
    return ids, scores


def recall(found: list[list[int]], truth: Any, k: int = 10) -> float:
    """Mean share of the true k nearest among the first k found."""
    shares = [len(set(f[:k]) & set(t[:k].tolist())) / k for f, t in zip(found, truth, strict=True)]
    return float(np.mean(shares))
