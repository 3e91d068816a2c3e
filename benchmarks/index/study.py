r"""FAISS families beside each other: recall against speed, memory, build, growth, what they refuse.

    python benchmarks/index/study.py VECTORS WORK --out results.json
    python benchmarks/index/study.py VECTORS WORK --out results.json --families 'hnsw*' flat \
        --sizes 10000 100000 --dimensions 1024 --budget-s 900

VECTORS is what `vectors.py` wrote; WORK takes the index files, each deleted when it was measured.
A family is built in one process on two threads, and opened in another, where FAISS has one thread
for each query. At every effort all queries are asked one by one, in one stream and in two, in
rounds; figures are medians of the rounds. Rows already in the results are kept. What fails is a row
with its reason. `plots.py` draws the results.
"""

import argparse
import fnmatch
import os
import platform
from pathlib import Path

import numpy as np
from families import FAMILIES, Family
from study_measure import Subject, base_of, measure
from study_results import Results, Row, line
from truth import nearest

from indexer.storage.vectors.library import import_faiss

SIZES = (10_000, 100_000, 200_000, 1_000_000)
DIMENSIONS = (384, 1024)
MEMORY_SHARE = 0.9  # of what is free at the start, for each process


def too_long(results: Results, row: Row, budget_s: float | None) -> Row:
    """{"skipped": why} where smaller sizes predict a build beyond the budget, else nothing."""
    predicted = results.predicted_build_s(row["family"], row["n"], row["dimension"])
    if budget_s is None or predicted is None or predicted <= budget_s:
        return {}
    return {"skipped": f"would build for about {predicted:.0f} s, more than {budget_s:.0f} s"}


def run(given: argparse.Namespace) -> None:
    """Every row that is not there yet, smaller sizes first, so that they predict larger ones."""
    results = Results(given.out)
    for dimension in given.dimensions:
        file = given.vectors / f"queries-{dimension}.npy"
        queries = np.load(file)[: given.queries].astype(np.float32)
        for n in sorted(given.sizes):
            truth = nearest(base_of(given.vectors, n, dimension), queries)[0]
            for family in given.families:
                known = results.find(family.name, n, dimension) or {"skipped": "not measured"}
                if not family.suits(dimension) or not ("skipped" in known or given.again):
                    continue
                subject = Subject(family, n, dimension, given)
                row = head(family, n, dimension, given)
                row |= too_long(results, row, given.budget_s) or measure(subject, truth, given)
                subject.clear()
                results.put(row)
                print(line(row), flush=True)


def head(family: Family, n: int, dimension: int, given: argparse.Namespace) -> Row:
    """What stands in a row before its figures."""
    row: Row = {"family": family.name, "n": n, "dimension": dimension}
    row |= family.facts(n, dimension) | {"machine": machine(), "threads": given.threads}
    row["memory_limit_mib"] = given.memory_mib
    is_true = family.note and not (family.prefix and given.mrl)
    return row | ({"note": family.note} if is_true else {})


def machine() -> str:
    """Where a row was measured."""
    models = [
        text.partition(":")[2].strip()
        for text in Path("/proc/cpuinfo").read_text().splitlines()
        if text.startswith("model name")
    ]
    faiss = import_faiss()
    options = faiss.get_compile_options().strip()
    cpu = models[0] if models else platform.machine()
    return f"{cpu}, {os.cpu_count()} cores, faiss {faiss.__version__} ({options})"


def free_mib() -> int:
    """Memory that processes could take now."""
    text = Path("/proc/meminfo").read_text()
    return int(text.partition("MemAvailable:")[2].split()[0]) // 1024


def arguments() -> argparse.Namespace:
    """Of the command line, looked at before anything is built."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("vectors", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="JSON; rows in it are kept")
    parser.add_argument("--families", nargs="*", default=["*"], help=f"of {', '.join(FAMILIES)}")
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--dimensions", type=int, nargs="*", default=list(DIMENSIONS))
    parser.add_argument("--budget-s", type=float, help="longer builds are skipped")
    parser.add_argument("--again", action="store_true", help="measure rows anew")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="for a stream at one effort")
    parser.add_argument("--threads", type=int, default=2, help="of builds")
    parser.add_argument("--memory-mib", type=int, help="of each process; default: 90 %% of free")
    parser.add_argument("--mrl", action="store_true", help="vectors of a model trained with MRL")
    given = parser.parse_args()
    chosen = {name for some in given.families for name in fnmatch.filter(FAMILIES, some)}
    given.families = [family for family in FAMILIES.values() if family.name in chosen]
    if not given.families:
        parser.error(f"no such family; there are {', '.join(FAMILIES)}")
    files = [base_of(given.vectors, n, d) for n in given.sizes for d in given.dimensions]
    if missing := [str(path) for path in files if not path.exists()]:
        parser.error(f"write these first with vectors.py: {', '.join(missing)}")
    given.memory_mib = given.memory_mib or int(MEMORY_SHARE * free_mib())
    given.work.mkdir(parents=True, exist_ok=True)
    return given


def main() -> None:
    """Measure what the command line asks for."""
    run(arguments())


if __name__ == "__main__":
    main()
