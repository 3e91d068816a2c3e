"""What, where and how was measured: the lines above the figures."""

from app.evaluation.page.wording import gibibytes, milliseconds
from app.evaluation.results import Data, Drift, Results

KNOWN_ITEMS = "known items: weaker substitute"


def facts(results: Results) -> list[tuple[str, str]]:
    """(name, words)."""
    machine = results.machine
    found = [
        ("Data", data_line(results.data)),
        (
            "Checksums",
            ", ".join(f"{name} {value}" for name, value in results.data.checksums.items()),
        ),
        ("Hardware", hardware_line(results)),
        ("Instructions", " ".join(machine.instructions)),
        ("Versions", ", ".join(f"{name} {value}" for name, value in results.versions.items())),
        ("Commit", results.commit or ""),
        ("Command", results.command),
        ("Measured", f"{results.started}, in {results.seconds:,.0f} s"),
        ("Rounds", _rounds_line(results)),
        ("Reference", results.reference),
        ("Cells", _shared_line(results)),
        ("Drift", _drift_line(results.drift)),
    ]
    return [(name, words) for name, words in found if words]


def data_line(data: Data) -> str:
    """What was searched and judged, in one sentence."""
    cut = "whole documents, cut at the model's limit" if data.whole_documents else "chunked"
    weaker = f"; {KNOWN_ITEMS}" if data.known_items else ""
    return (
        f"{data.name}: {data.documents:,} documents, {len(data.query_ids):,} judged queries, "
        f"{data.judgements:,} judgements; {cut}{weaker}"
    )


def hardware_line(results: Results) -> str:
    """The machine in one sentence."""
    machine = results.machine
    gpus = "; ".join(machine.gpus) or "no GPU"
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.threads} threads, "
        f"{gibibytes(machine.ram_bytes)} RAM, {gpus}"
    )


def _rounds_line(results: Results) -> str:
    if not any(cell.speed for cell in results.cells):
        return ""
    return (
        f"{results.rounds} rounds in which all cells took turns, each in a new process; before "
        f"those that count, {results.warmup} calls of each kind"
    )


def _shared_line(results: Results) -> str:
    """What the short names of cells leave out, as it is the same for all."""
    cells = results.cells
    parts: list[tuple[str, set[str]]] = [
        ("model", {cell.model for cell in cells}),
        ("dimensions", {str(cell.dimension) for cell in cells}),
        ("index", {str(cell.index) for cell in cells}),
    ]
    same = [f"{name} {next(iter(values))}" for name, values in parts if len(values) == 1]
    return f"in all: {', '.join(same)}" if same else ""


def _drift_line(drift: Drift | None) -> str:
    if drift is None or not drift.medians_ms or min(drift.medians_ms) <= 0:
        return ""
    medians = ", ".join(milliseconds(value) for value in drift.medians_ms)
    return f"the median of {drift.label} moved by up to {drift.share:.0%} between rounds: {medians}"
