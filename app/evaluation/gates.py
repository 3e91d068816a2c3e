"""Gates: what an evaluation must reach, so that a CI job can fail on it.

--fail-under recall@10=0.9,ndcg@10=0.6,ann_recall@10=0.99,cosine=0.995
--max p95=200ms,ram=2GiB
--baseline results.json
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from app.evaluation.page.comparison import compare
from app.evaluation.quality.metrics import MEASURES, PRIMARY
from app.evaluation.results import Cell, Results
from indexer.errors import UsageError

ANN = "ann_recall@10"
_BASELINE, _NOW = "baseline", "this run"
_UNITS = {
    "ms": 1.0, "s": 1_000.0, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30,
    "kb": 1e3, "mb": 1e6, "gb": 1e9,
}  # fmt: skip
_LIMIT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failed:
    """A gate that a cell did not pass."""

    cell: str
    what: str  # "dense ndcg@10"
    found: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Gates:
    """What was asked for; nothing asked for, nothing fails."""

    least: dict[str, float]  # measure -> its least mean
    most: dict[str, float]  # p50, p95, p99 in ms; ram, vram in bytes
    baseline: Results | None = None

    def check(self, results: Results, way: str) -> list[Failed]:
        """Every gate that is not passed, over all cells.

        What a cell does not have fails, and so does a mode that was to run and did not: a gate that
        saw nothing is closed.

        Args:
            results: to check.
            way: of retrieval whose measures count, e.g. "hybrid".

        Raises:
            UsageError: nothing was measured, or the baseline is of other data.
        """
        if not (self.least or self.most or self.baseline):
            return []
        if not results.cells:
            raise UsageError("Nothing was measured, so no gate can be checked.")
        failed = [
            Failed(item.label, "to run", item.reason, "measured")
            for item in results.not_run
            if item.tried
        ]
        for cell in results.cells:
            failed += self._check_least(cell, way)
            failed += self._check_most(cell)
        if self.baseline is not None:
            failed += _check_drops(results, self.baseline)
        return failed

    def _check_least(self, cell: Cell, way: str) -> list[Failed]:
        failed = []
        for name, least in self.least.items():
            if name in _LEAST:
                found, what = _LEAST[name](cell), name
            else:
                found, what = cell.quality[way][name].mean.value, f"{way} {name}"
            if not found >= least:
                failed.append(Failed(cell.label, what, f"{found:.4f}", f"at least {least:g}"))
        return failed

    def _check_most(self, cell: Cell) -> list[Failed]:
        failed = []
        for name, most in self.most.items():
            found = _NUMBERS[name](cell)
            if found is None or not found <= most:
                shown = "not measured" if found is None else _shown(name, found)
                failed.append(Failed(cell.label, name, shown, f"at most {_shown(name, most)}"))
        return failed


def parse_least(text: str) -> dict[str, float]:
    """Of `--fail-under`.

    Raises:
        UsageError: an unknown measure, or no number from 0 to 1.
    """
    known = (*MEASURES, *_LEAST)
    found: dict[str, float] = {}
    for name, value in _pairs(text, "--fail-under"):
        if name not in known:
            raise UsageError(f"--fail-under {name}: no such measure. There are {', '.join(known)}.")
        try:
            least = float(value)
        except ValueError:
            least = -1.0
        if not 0 <= least <= 1:
            raise UsageError(f"--fail-under {name}={value}: give a number from 0 to 1.")
        found[name] = least
    return found


def parse_most(text: str) -> dict[str, float]:
    """Of `--max`: times in ms or s, sizes in KiB to GiB or KB to GB.

    Raises:
        UsageError: an unknown name, or no number with a unit that fits.
    """
    found: dict[str, float] = {}
    for name, value in _pairs(text, "--max"):
        if name not in _NUMBERS:
            raise UsageError(f"--max {name}: no such number. There are {', '.join(_NUMBERS)}.")
        match = _LIMIT.fullmatch(value)
        unit = match.group(2).lower() if match else ""
        is_time = unit in ("ms", "s")
        if match is None or unit not in _UNITS or is_time is not name.startswith("p"):
            example = "200ms" if name.startswith("p") else "2GiB"
            raise UsageError(f"--max {name}={value}: give a number with its unit, as {example}.")
        found[name] = float(match.group(1)) * _UNITS[unit]
    return found


def _pairs(text: str, option: str) -> list[tuple[str, str]]:
    pairs = []
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or not name or not value:
            raise UsageError(f"{option} {part.strip()!r}: write NAME=VALUE, several with commas.")
        pairs.append((name.strip().lower(), value.strip()))
    return pairs


def _percentile(name: str) -> Callable[[Cell], float | None]:
    def of(cell: Cell) -> float | None:
        if cell.speed is None:
            return None
        return float(getattr(cell.speed.search_ms[1], name).value)

    return of


def _agreed(name: str) -> Callable[[Cell], float]:
    """1 for the reference: it agrees with itself."""
    return lambda cell: 1.0 if cell.agreement is None else float(getattr(cell.agreement, name))


_LEAST: dict[str, Callable[[Cell], float]] = {
    ANN: lambda cell: 1.0 if cell.ann is None else cell.ann.recall_10.value,  # exact: all found
    "cosine": _agreed("cosine_mean"),  # of passages, to the reference mode's
    "query_cosine": _agreed("query_cosine_mean"),
    "overlap@10": _agreed("overlap_10"),
}
_NUMBERS: dict[str, Callable[[Cell], float | None]] = {
    **{name: _percentile(name) for name in ("p50", "p95", "p99")},
    "ram": lambda cell: cell.peak_ram_bytes,
    "vram": lambda cell: cell.peak_vram_bytes or 0,
}


def _shown(name: str, value: float) -> str:
    return f"{value:.1f} ms" if name.startswith("p") else f"{value / 2**20:.0f} MiB"


def _check_drops(results: Results, baseline: Results) -> list[Failed]:
    """Significant drops of the primary measure, cell by cell and way by way, and of the index."""
    comparison = compare({_BASELINE: baseline, _NOW: results})
    failed = []
    for cell in comparison.cells:
        before, now = cell.runs
        for way in (way for way in now.quality if PRIMARY in now.quality[way]):
            found = now.quality[way][PRIMARY]
            if found.is_drop:
                shown, wanted = f"{found.mean:.4f} (p {found.p:.3f})", before.quality[way][PRIMARY]
                what = f"{way} {PRIMARY}"
                failed.append(Failed(cell.label, what, shown, f"{wanted.mean:.4f} as before"))
    old = {cell.label: cell.ann for cell in baseline.cells}
    for new in results.cells:
        ann = old.get(new.label)
        if ann and new.ann and new.ann.recall_10.high < ann.recall_10.low:
            shown, least = f"{new.ann.recall_10.value:.4f}", f"{ann.recall_10.value:.4f}"
            failed.append(Failed(new.label, ANN, shown, f"{least} as before"))
    return failed
