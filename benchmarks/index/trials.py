"""What a family may refuse: selectors, new rows, removals. Each is really done, on a small scale.

A trial may change the opened index, never its file.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from engine import times_ms
from truth import recall

from indexer.storage.vectors.library import import_faiss, selector
from indexer.storage.vectors.measure import moved_away

faiss = import_faiss()

K = 10
SHARE = 100  # the filter leaves one row in so many
FEW = 50  # queries, or rows looked at
ADDED = 1_000
REMOVED = 1_000
READ = 100


def select(engine: Any, queries: Any, effort: Any) -> dict[str, Any]:
    """Search among 1 % of the rows: does the selector hold, and how much of the truth is found?"""
    queries = queries[:FEW]
    numbers = np.arange(0, len(engine.base), SHARE)
    mask = np.zeros(len(engine.base), bool)
    mask[numbers] = True
    chosen = selector(mask)
    found = [engine.search(query, K, effort, chosen) for query in queries]
    scores = queries @ engine.base[numbers].astype(np.float32).T
    truth = numbers[np.argsort(-scores, axis=1)[:, :K]]
    return {
        "outside": sum(not mask[number] for some in found for number in some),
        "recall": recall(found, truth, min(K, len(numbers))),
        **times_ms(lambda query: engine.search(query, K, effort, chosen), queries),
    }


def add(engine: Any, queries: Any, effort: Any) -> dict[str, Any]:  # noqa: ARG001
    """1,000 rows, three times, on as many threads as the build had."""
    rows = moved_away(engine.base[: 3 * ADDED].astype(np.float32))
    times = []
    faiss.omp_set_num_threads(engine.threads)
    for block in np.array_split(rows, 3):
        started = time.perf_counter()
        engine.coded.add(block)
        times.append(time.perf_counter() - started)
    faiss.omp_set_num_threads(1)
    return {"rows": len(rows) // 3, "add_s": times}


def remove(engine: Any, queries: Any, effort: Any) -> dict[str, Any]:  # noqa: ARG001
    """1,000 rows: are they gone, and do the others keep their numbers?"""
    step = max(2, len(engine.base) // REMOVED)
    gone = np.arange(0, len(engine.base), step)[:REMOVED]
    started = time.perf_counter()
    removed = engine.coded.remove_ids(faiss.IDSelectorBatch(gone.astype(np.int64)))
    seconds = time.perf_counter() - started
    kept = _found_themselves(engine, gone[-FEW:] + 1, effort) >= FEW // 2
    answer = {"removed": int(removed), "remove_s": seconds, "numbers": "kept"}
    if not kept:
        return answer | {"numbers": "moved up"}
    return answer | {"still_found": _found_themselves(engine, gone[-FEW:], effort)}


def _found_themselves(engine: Any, numbers: Any, effort: Any) -> int:
    rows = engine.base[numbers].astype(np.float32)
    return sum(
        int(i) in engine.search(row, K, effort) for i, row in zip(numbers, rows, strict=True)
    )


def read(engine: Any, queries: Any, effort: Any) -> dict[str, Any]:  # noqa: ARG001
    """100 random rows, read from where this family has them and scored."""
    rng = np.random.default_rng(3)
    picks = [rng.choice(len(engine.base), READ, replace=False) for _ in range(FEW)]
    return times_ms(lambda numbers: engine.rows_of(numbers) @ queries[0], picks)


TRIALS: dict[str, Callable[[Any, Any, Any], dict[str, Any]]] = {
    "select": select,
    "read": read,
    "add": add,
    "remove": remove,
}
