"""Twice the load that the service can bear: what it answers, how late, in how much memory.

    python benchmarks/serving/overload.py HOME --collection NAME [--seconds 300] [--set threads=2]
        [--mode hybrid] [--out FILE]

Capacity is what 32 clients get, who ask on once they have an answer (median of three). Then
requests arrive at random, whether or not others were answered (Poisson): first at 80 % of capacity
for a fifth of the time, then at twice capacity. A latency counts from when the request was due.
At once after the end one client asks on and on: the service has recovered with the first of twenty
good answers in a row that take no longer than the p99 at 80 %.
"""

import argparse
import statistics
from collections.abc import Iterator
from typing import Any

import numpy as np
import servers
from load import Outcome, Phase, drive
from passages import catalog_of, queries_of
from reporting import Goal, goals_table, markdown, parser_of, run, settings_of, tell
from watch import Watch, slope_per_minute

CLIENTS = 32
TIMES = 2.0
CALM = 0.8
ALLOWED = {"200", "429", "503"}
STREAK = 20  # good answers in a row
RECOVERY_S = 20.0  # looked at after the end
QUERIES = 50_000  # different ones; then the first again, long after every cache has dropped it


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Rows of the phases, memory over time, recovery."""
    queries = queries_of(catalog_of(given.home, given.collection), given.queries)
    door = f"ours {given.mode}"
    with servers.ours(given.home, given.collection, settings_of(given)) as server:

        def ask(start: float, *phases: Phase) -> list[Outcome]:
            first = int(start * len(queries))  # so that no phase begins with what another asked
            found = drive(server, door, queries[first:] + queries[:first], phases, again=True)
            for phase, outcome in zip(phases, found, strict=True):
                tell(str(phase), figures(outcome))
            return found

        part = given.seconds / 15
        full = [ask(i / 8, Phase(CLIENTS, seconds=part))[0].require_good() for i in range(3)]
        capacity = statistics.median(found.per_s for found in full)
        alone, calm = ask(
            3 / 8,
            Phase(1, seconds=part),
            Phase(rate=CALM * capacity, seconds=given.seconds / 5),
        )
        with Watch(server.pid) as watch:
            flood, after = ask(
                4 / 8,
                Phase(rate=TIMES * capacity, seconds=given.seconds),
                Phase(1, seconds=RECOVERY_S),
            )
    rows = {"1 client": alone, "80 %": calm, "200 %": flood, "1 client after": after}
    return {
        "mode": server.mode,
        "capacity_per_s": capacity,
        "rows": {name: figures(outcome) for name, outcome in rows.items()},
        "recovery_s": recovery_s(after, calm.quantile(0.99)),
        "memory_mib": [(at - flood.started_s, mib) for at, mib in watch.memory],
    }


def figures(found: Outcome) -> dict[str, Any]:
    """Of one phase."""
    return {
        "seconds": found.wall_s,
        "counts": found.counts,
        "accepted_per_s": found.per_s,
        "p50_ms": found.quantile(0.5),
        "p99_ms": found.quantile(0.99),
        "generator_share": found.cpu_share,
        "generator_late_p99_ms": float(np.quantile(found.late_ms, 0.99)),
    }


def recovery_s(after: Outcome, limit_ms: float) -> float | None:
    """When the first long row of good and quick answers began; None where there was none."""
    row = 0
    for at, ms, status in zip(after.at_s, after.ms, after.status, strict=True):
        if status != "200" or ms > limit_ms:
            row = 0
            continue
        if row == 0:
            began = float(at)
        row += 1
        if row == STREAK:
            return began
    return None


def growth(found: dict[str, Any]) -> tuple[float, float, float]:
    """(MiB a minute, MiB at the beginning and at the end) of the flood's second half.

    Before that the memory of query vectors, which is bounded, may still be filling.
    """
    seconds = found["rows"]["200 %"]["seconds"]
    during = [row for row in found["memory_mib"] if seconds / 2 <= row[0] <= seconds]
    return slope_per_minute(during), during[0][1], during[-1][1]


def show(found: dict[str, Any]) -> str:
    """The tables."""
    head = ["Load", "Arrivals", "Accepted/s", "p50 ms", "p99 ms", "Clients' share of a core"]
    lines = [
        [
            name,
            ", ".join(f"{status}: {count:,}" for status, count in sorted(row["counts"].items())),
            f"{row['accepted_per_s']:.1f}",
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            f"{row['generator_share']:.0%}, late p99 {row['generator_late_p99_ms']:.1f} ms",
        ]
        for name, row in found["rows"].items()
    ]
    capacity = f"Capacity, {CLIENTS} clients: {found['capacity_per_s']:.1f} answers/s."
    return f"{markdown(head, lines)}\n\n{capacity}\n\n{goals_table(goals(found))}"


def goals(found: dict[str, Any]) -> Iterator[Goal]:
    """Every promise about overload."""
    rows = found["rows"]
    statuses = set(rows["80 %"]["counts"]) | set(rows["200 %"]["counts"])
    shown = ", ".join(sorted(statuses))
    yield Goal("statuses", "200, 429, 503", shown, statuses <= ALLOWED)
    p99, limit = rows["200 %"]["p99_ms"], 2 * rows["80 %"]["p99_ms"]
    yield Goal("accepted p99", f"<= {limit:.0f} ms, twice at 80 %", f"{p99:.0f} ms", p99 <= limit)
    slope, first, last = growth(found)
    measured = f"{slope:+.2f} MiB a minute, {first:.0f} to {last:.0f} MiB"
    yield Goal("memory", "flat (< 1 MiB a minute)", measured, slope < 1)
    back = found["recovery_s"]
    measured = f"{back:.1f} s" if back is not None else f"not within {RECOVERY_S:.0f} s"
    yield Goal("recovery", "<= 5 s", measured, back is not None and back <= 5)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--mode", default="hybrid", choices=["hybrid", "dense", "lexical"])
    parser.add_argument("--queries", type=int, default=QUERIES, help="different ones")
    run(parser.parse_args(), measure, show)


if __name__ == "__main__":
    main()
