"""How well an evaluation repeats on this machine: runs one after the other, compared in pairs.

    python benchmarks/evaluation/repeat.py DATASET WORK [--pairs 10] [--modes cpu:fp32,cpu:int8]

Of each pair of runs: the greatest difference of any quality
measure of any query, which should be 0, and whether the intervals of the latency ratio to the
reference mode overlap. Absolute medians are shown beside it, with how far each run drifted.
Started again on the same WORK, it goes on after the last run that was finished.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from app.evaluation.results import Cell, Estimate, Results

PROGRAM = [sys.executable, "-c", "from app.cli.main import main; main()"]


def run(given: argparse.Namespace, number: int) -> Results:
    """One evaluation, in a process of its own; one that an earlier start finished is not redone."""
    output = given.work / f"run-{number}"
    if (output / "results.json").exists():
        return Results.read(output / "results.json")
    options = ["--model", given.model, "--modes", given.modes, "--index", "exact"]
    options += ["--rounds", str(given.rounds), "--seconds", str(given.seconds), "-o", str(output)]
    home = ["--home", str(given.work / "home")]
    subprocess.run([*PROGRAM, *home, "eval", str(given.dataset), *options], check=True)
    return Results.read(output / "results.json")


def quality_difference(one: Results, other: Results) -> float:
    """The greatest of any query, measure, way and cell."""
    found = [0.0]
    for a, b in zip(one.cells, other.cells, strict=True):
        for way, measures in a.quality.items():
            for name, measure in measures.items():
                pairs = zip(measure.per_query, b.quality[way][name].per_query, strict=True)
                found += [abs(x - y) for x, y in pairs]
    return max(found)


def ratios(results: Results) -> dict[str, Estimate]:
    """{cell: its median answer time over the reference's}, without the reference."""
    return {cell.label: ratio for cell in results.cells if (ratio := _ratio(cell)) is not None}


def _ratio(cell: Cell) -> Estimate | None:
    return None if cell.speed is None else cell.speed.search_ms[1].ratio


def compare(one: Results, other: Results) -> dict[str, Any]:
    """What a pair of runs says."""
    first, second = ratios(one), ratios(other)
    return {
        "quality_difference": quality_difference(one, other),
        "drift": [round(run.drift.share, 3) for run in (one, other) if run.drift],
        "cells": {
            label: {
                "ratios": [ratio.model_dump(), second[label].model_dump()],
                "overlap": ratio.low <= second[label].high and second[label].low <= ratio.high,
            }
            for label, ratio in first.items()
        },
    }


def main() -> None:
    """Print a line a pair and JSON at the end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--modes", default="cpu:fp32,cpu:int8")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    given = parser.parse_args()
    pairs = []
    for number in range(given.pairs):
        pairs.append(compare(run(given, 2 * number), run(given, 2 * number + 1)))
        print(f"pair {number + 1}: {json.dumps(pairs[-1])}", file=sys.stderr, flush=True)
    overlaps = [all(cell["overlap"] for cell in pair["cells"].values()) for pair in pairs]
    summary = {
        "pairs": pairs,
        "greatest_quality_difference": max(pair["quality_difference"] for pair in pairs),
        "overlapping": f"{sum(overlaps)} of {len(overlaps)}",
    }
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
