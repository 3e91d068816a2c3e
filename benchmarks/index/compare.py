"""Every engine on the same vectors in one run: recall, latency, memory, build, disk.

    python benchmarks/index/compare.py VECTORS WORK --n 200000 --engines semsearch hnswlib usearch

VECTORS is what `vectors.py` wrote. Engines stay open together and take turns, query block by query
block, so that a noisy moment hits all alike; each figure is a median over the rounds.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from engine_process import EngineProcess
from truth import nearest, recall

PEERS = ("hnswlib", "usearch-f16", "scann", "sqlite-vec", "faiss-hnsw", "faiss-ivfpq", "faiss-flat")
# These read every vector for every query, seconds for a million: a few queries tell as much.
READ_ALL = {"sqlite-vec": 10, "faiss-flat": 100}


def started(name: str, work: Path, base: Path, dimension: int, link: bool) -> EngineProcess:
    """The process of an engine."""
    if name.startswith("semsearch"):
        link_too = ["--link"] if link else []
        return EngineProcess(name, "ours.py", work / name, base, dimension, *link_too)
    return EngineProcess(name, "peers.py", name, work / name, base, dimension)


def pick_effort(child: EngineProcess, truth: Any, target: float) -> tuple[Any, float]:
    """The first of the engine's efforts, cheapest first, that reaches the target; or the last."""
    efforts = child.ask("efforts")["efforts"]
    found = 0.0
    count = READ_ALL.get(child.name)
    for effort in efforts:
        ids = child.ask("search", k=10, effort=effort, count=count)["ids"]
        found = recall(ids, truth[:count])
        if found >= target:
            return effort, found
    return efforts[-1], found


def measure(
    children: dict[str, EngineProcess], chosen: dict[str, Any], rounds: int
) -> dict[str, dict[str, Any]]:
    """Turns: every engine answers its queries once a round.

    Untimed before, since another engine's turn may have pushed its pages out of the cache.
    """
    times: dict[str, list[dict[str, Any]]] = {name: [] for name in children}
    for _ in range(rounds):
        for name, child in children.items():
            count = READ_ALL.get(name)
            if count is None:
                child.ask("search", k=10, effort=chosen[name], found=False)
            answer = child.ask("search", k=10, effort=chosen[name], found=False, count=count)
            times[name].append(answer)
    table = {}
    for name, answers in times.items():
        medians = [statistics.median(answer["ms"]) for answer in answers]
        every = np.concatenate([answer["ms"] for answer in answers])
        table[name] = {
            "p50_ms": statistics.median(medians),
            "p99_ms": float(np.quantile(every, 0.99)),
        }
    return table


def under_load(child: EngineProcess, effort: Any, clients: list[int]) -> dict[str, float]:
    """Queries a second, by how many clients ask at a time."""
    figures = {}
    for count in clients:
        answer = child.ask("search", k=10, effort=effort, clients=count, found=False)
        figures[f"queries_per_s_{count}"] = answer["queries_per_s"]
    return figures


def _built_before(given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """{engine: figures of its build} from an earlier run's file."""
    path = given.work / f"compare-{given.n}-{given.dimension}.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else {}
    kept = ("build_s", "build_peak_mib", "certificate")
    return {
        name: {key: row[key] for key in kept if key in row}
        for name, row in rows.items()
        if "error" not in row
    }


def main() -> None:
    """Build, choose efforts, take turns, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--dimension", type=int, default=1024)
    parser.add_argument("--engines", nargs="*", default=["semsearch", *PEERS])
    parser.add_argument("--target", type=float, default=0.99)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reuse", action="store_true", help="what an earlier run built")
    parser.add_argument("--link", action="store_true", help="our rows by a hard link, not a copy")
    parser.add_argument("--clients", type=int, nargs="*", default=[])
    given = parser.parse_args()
    base = given.vectors / f"base-{given.n}-{given.dimension}.f16"
    file = given.vectors / f"queries-{given.dimension}.npy"
    truth = nearest(base, np.load(file)[: given.queries].astype(np.float32))[0]
    given.work.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, Any]] = {}
    before = _built_before(given) if given.reuse else {}
    children, chosen = {}, {}
    for name in given.engines:
        child = started(name, given.work, base, given.dimension, given.link)
        try:
            rows[name] = before.get(name) or child.ask("build")
            rows[name] |= child.ask("open")
            child.ask("queries", file=str(file), count=given.queries)
            chosen[name], rows[name]["recall"] = pick_effort(child, truth, given.target)
            rows[name]["effort"] = chosen[name]
            rows[name] |= child.ask("memory")
            children[name] = child
        except RuntimeError as error:
            rows[name] = {"error": str(error)}
        print(name, {k: v for k, v in rows[name].items() if k != "certificate"}, flush=True)
    for name, figures in measure(children, chosen, given.rounds).items():
        rows[name] |= figures
    for name, child in children.items():
        if name not in READ_ALL:
            rows[name] |= under_load(child, chosen[name], given.clients)
    for name, child in children.items():
        rows[name] |= child.ask("memory")
        child.close()
    result = {"n": given.n, "dimension": given.dimension, "rows": rows}
    (given.work / f"compare-{given.n}-{given.dimension}.json").write_text(
        json.dumps(result, indent=1)
    )
    print(
        f"{'engine':14} {'R':>6} {'p50 ms':>7} {'p99 ms':>7} {'RAM MiB':>8} {'build s':>8} open s"
    )
    for name, row in rows.items():
        if "error" not in row:
            figures = [row[key] for key in ("recall", "p50_ms", "p99_ms", "ram_mib", "build_s")]
            widths = ("6.4f", "7.2f", "7.2f", "8.0f", "8.0f")
            cells = [format(value, width) for value, width in zip(figures, widths, strict=True)]
            print(f"{name:14}", *cells, f"{row['open_s']:.2f}")


if __name__ == "__main__":
    main()
