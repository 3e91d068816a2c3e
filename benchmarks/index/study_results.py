"""The file of results: one row for each family, size and dimension; a run goes on where one ended.

A row holds figures, or "error" (what was refused or went wrong), or "skipped" (too long to build).
"""

import json
import math
from pathlib import Path
from typing import Any

Row = dict[str, Any]

_GROWTH = 1.25  # exponent of the build time in n, until two sizes were measured
_BOUNDS = (1.0, 2.0)


class Results:
    """Rows, written to their file as each comes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: list[Row] = json.loads(path.read_text())["rows"] if path.exists() else []

    def find(self, family: str, n: int, dimension: int) -> Row | None:
        """The row, if it was measured."""
        return next((row for row in self.rows if _key(row) == (family, n, dimension)), None)

    def put(self, row: Row) -> None:
        """Add or replace, and write the file anew."""
        self.rows = [other for other in self.rows if _key(other) != _key(row)] + [row]
        self.rows.sort(key=lambda each: (each["dimension"], each["n"]))
        new = self._path.with_suffix(".tmp")
        new.write_text(json.dumps({"rows": self.rows}, indent=1))
        new.replace(self._path)

    def predicted_build_s(self, family: str, n: int, dimension: int) -> float | None:
        """From the builds of smaller sizes; None where there are none."""
        smaller = sorted(
            (row["n"], row["build_s"])
            for row in self.rows
            if (row["family"], row["dimension"]) == (family, dimension)
            and row["n"] < n
            and "build_s" in row
        )
        return predict(smaller, n) if smaller else None


def _key(row: Row) -> tuple[str, int, int]:
    return row["family"], row["n"], row["dimension"]


def predict(measured: list[tuple[int, float]], n: int) -> float:
    """Seconds at n, from (size, seconds) ascending, by the power that the last two show."""
    exponent = _GROWTH
    if len(measured) > 1:
        (less, short), (more, long) = measured[-2:]
        exponent = math.log(max(long, 1e-3) / max(short, 1e-3)) / math.log(more / less)
    low, high = _BOUNDS
    size, seconds = measured[-1]
    return float(seconds * (n / size) ** min(max(exponent, low), high))


def first_reaching(points: list[Row], target: float) -> Row | None:
    """The fastest of the points with at least this recall."""
    good = [point for point in points if point["recall"] >= target]
    return max(good, key=lambda point: point["qps_1"], default=None)


def line(row: Row) -> str:
    """A row in words, for whoever looks on."""
    head = f"{row['family']:24} {row['n']:9,} x {row['dimension']:<5}"
    for kind in ("skipped", "error"):
        if kind in row:
            return f"{head}{kind}: {row[kind]}"
    cells = [f"build {row['build_s']:.1f} s", f"RAM {row['ram_mib']:.0f} MiB"]
    cells += [f"disk {row['disk_mib']:.0f} MiB"]
    for target in (0.95, 0.99):
        point = first_reaching(row["points"], target)
        reached = f"{point['p50_ms']:.2f} ms {point['qps_1']:.0f}/s" if point else "not reached"
        cells.append(f"R {target}: {reached}")
    for trial in ("select", "remove"):
        refused = row.get(trial, {}).get("error")
        cells.append(f"{trial}: {'refused, ' + refused if refused else 'taken'}")
    if "note" in row:
        cells.append(row["note"])
    return head + ", ".join(cells)
