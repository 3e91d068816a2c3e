"""What a person sees of an evaluation in the terminal; the report has all of it."""

from collections.abc import Sequence
from pathlib import Path

from app.cli.output import mebibytes, print_line, printable, say, table
from app.evaluation.gates import Failed
from app.evaluation.page.recommendation import SIGNIFICANT, recommend
from app.evaluation.quality.metrics import PRIMARY
from app.evaluation.results import Cell, Estimate, Results

_HEAD = (
    "Mode",
    "Index",
    PRIMARY,
    "Recall@10",
    "Cosine",
    "ANN recall",
    "p50",
    "p95",
    "Tok/s",
    "RAM",
)


def show_results(results: Results, output: Path) -> None:
    """A line a cell, and where the report lies."""
    data, machine = results.data, results.machine
    way = next(iter(results.cells[0].quality))
    print_line(
        printable(
            f"{data.name}: {data.documents:,} documents, {len(data.query_ids):,} judged queries, "
            f"{'whole' if data.whole_documents else 'chunked'}, {way} search"
        )
    )
    print_line(printable(f"{machine.cpu}, {machine.cores} cores, {machine.threads} threads"))
    for model in dict.fromkeys((cell.model, cell.dimension) for cell in results.cells):
        print_line()
        print_line(printable(f"{model[0]}, {model[1]} dimensions"))
        rows = [_row(cell, way) for cell in results.cells if (cell.model, cell.dimension) == model]
        for line in table([_HEAD, *rows]):
            print_line(line)
    print_line()
    reasons: dict[str, list[str]] = {}
    for missing in results.not_run:
        reasons.setdefault(missing.reason, []).append(missing.label)
    for reason, labels in reasons.items():
        print_line(printable(f"Not run: {', '.join(labels)}: {reason}"))
    for problem in results.problems:
        print_line(printable(f"Note: {problem}"))
    if results.drift is not None:
        print_line(
            f"Drift of the machine: the reference's median moved by {results.drift.share:.0%} over "
            f"{len(results.drift.medians_ms)} rounds."
        )
    taken = recommend(results)
    if taken is not None:
        print_line(printable(taken.reason))
    say(f"Report: {printable(str(output))}")


def _row(cell: Cell, way: str) -> list[str]:
    quality = cell.quality[way]
    speed = cell.speed
    return [
        cell.mode,
        str(cell.index),
        _with_mark(cell, way),
        f"{quality['recall@10'].mean.value:.4f}",
        "-" if cell.agreement is None else f"{cell.agreement.cosine_mean:.5f}",
        "-" if cell.ann is None else f"{cell.ann.recall_10.value:.4f}",
        "-" if speed is None else _ms(speed.search_ms[1].p50),
        "-" if speed is None else _ms(speed.search_ms[1].p95),
        "-" if speed is None else f"{speed.tokens_per_s.value:,.0f}",
        mebibytes(cell.peak_ram_bytes),
    ]


def _with_mark(cell: Cell, way: str) -> str:
    """The primary measure, with a star where it differs from the reference by more than chance."""
    measure = cell.quality[way][PRIMARY]
    star = "*" if measure.p is not None and measure.p < SIGNIFICANT else ""
    return f"{measure.mean.value:.4f}{star}"


def _ms(estimate: Estimate) -> str:
    digits = 0 if estimate.value >= 100 else 1
    return f"{estimate.value:.{digits}f} ms"


def show_failed(failed: Sequence[Failed]) -> None:
    """The gates that were not passed."""
    if not failed:
        return
    say("Gates not passed:")
    rows = [("Cell", "What", "Found", "Wanted")]
    rows += [(item.cell, item.what, item.found, item.wanted) for item in failed]
    for line in table([[printable(text) for text in row] for row in rows]):
        say(f"  {line}")
