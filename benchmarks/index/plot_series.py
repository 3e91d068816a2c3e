"""What the plots draw, read from the results of `study.py` and of `compare.py` alike."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from families import FAMILIES, Group
from study_results import first_reaching

from app.evaluation.page.svg import DASHES, MARKS

OTHERS = "engines of compare.py"
COLOURS = {
    Group.EXACT: "#7d8590",
    Group.GRAPH: "#d9730d",
    Group.PQ: "#3b82f6",
    Group.RABITQ: "#2da44e",
    Group.PANORAMA: "#a063f0",
    Group.PREFIX: "#db4c95",
    Group.CATALOG: "#1393a5",
    OTHERS: "#e5484d",
}
Point = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """One family or engine at one size."""

    name: str
    n: int
    dimension: int
    points: tuple[Point, ...]  # recall, p50_ms, qps_1 and, of the study, qps_2
    figures: dict[str, float]  # ram_mib, build_s, disk_mib

    def latency_ms(self, target: float) -> float | None:
        """Of the fastest effort that reaches this recall."""
        point = first_reaching(list(self.points), target)
        return None if point is None else float(point["p50_ms"])

    def front(self, streams: int) -> list[tuple[float, float]]:
        """(recall, queries a second), ascending by recall: no effort is better in both."""
        pairs = [(p["recall"], p[f"qps_{streams}"]) for p in self.points if f"qps_{streams}" in p]
        kept: list[tuple[float, float]] = []
        for share, speed in sorted(pairs, reverse=True):
            if not kept or speed > kept[-1][1]:
                kept.append((share, speed))
        return kept[::-1]


@dataclass(frozen=True)
class Look:
    """How the curves of a family are drawn, the same in every picture."""

    colour: str
    dash: str
    mark: str


def read(paths: list[Path]) -> list[Measured]:
    """All rows with figures of these files; the last of equal ones counts."""
    found: dict[tuple[str, int, int], Measured] = {}
    for path in paths:
        content = json.loads(path.read_text())
        rows = content["rows"]
        made = _compared(content) if isinstance(rows, dict) else [_studied(row) for row in rows]
        found |= {(one.name, one.n, one.dimension): one for one in made if one.points}
    return list(found.values())


def _studied(row: dict[str, Any]) -> Measured:
    return Measured(
        row["family"], row["n"], row["dimension"], tuple(row.get("points", ())), _figures(row)
    )


def _compared(content: dict[str, Any]) -> list[Measured]:
    made = []
    for name, row in content["rows"].items():
        if "p50_ms" not in row:
            continue
        point = {"recall": row["recall"], "p50_ms": row["p50_ms"]}
        point["qps_1"] = row.get("queries_per_s_1", 1000 / row["p50_ms"])
        if "queries_per_s_2" in row:
            point["qps_2"] = row["queries_per_s_2"]
        made.append(Measured(name, content["n"], content["dimension"], (point,), _figures(row)))
    return made


def _figures(row: dict[str, Any]) -> dict[str, float]:
    return {key: row[key] for key in ("ram_mib", "build_s", "disk_mib") if key in row}


def looks(measured: list[Measured]) -> dict[str, Look]:
    """{name: look}, in the order of the legend: families as in their list, then other engines."""
    others = sorted({one.name for one in measured} - FAMILIES.keys())
    groups: dict[str, list[str]] = {}
    for name in [*FAMILIES, *others]:
        group = FAMILIES[name].group if name in FAMILIES else OTHERS
        groups.setdefault(group, []).append(name)
    return {
        name: Look(COLOURS[group], DASHES[i % len(DASHES)], MARKS[i % len(MARKS)])
        for group, names in groups.items()
        for i, name in enumerate(names)
    }
