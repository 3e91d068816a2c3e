"""A bench run for people, at most 100 columns wide."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from app.cli.output import mebibytes, printable
from app.evaluation.article import ROWS, row_of
from app.evaluation.measurement import Measurement
from app.evaluation.report import Report, versions
from app.evaluation.results import Times
from app.evaluation.rounds import LEAST_RUNS, WARMUP
from indexer.embedding.hardware.machine import Hardware
from indexer.embedding.planning.reasons import amount

_WIDTH = 100
_COLUMNS = ("ms", "n", "mean", "p50", "p99", "tokens/s", "load", "RAM", "VRAM", "article")
_SURE_P99 = 100  # runs from which a hundredth of them is one


def machine_values(hardware: Hardware, threads: int) -> dict[str, Any]:
    """The machine in JSON values."""
    return {
        "cpu": hardware.cpu.name,
        "cores": hardware.cpu.physical_cores,
        "threads": threads,
        "instructions": sorted(hardware.cpu.flags),
        "ram_bytes": hardware.memory.total_bytes,
        "gpus": [{"name": gpu.name, "vram_bytes": gpu.total_bytes} for gpu in hardware.gpus],
    }


def bench_lines(report: Report, hardware: Hardware, threads: int) -> Iterator[str]:
    """The machine, how it was measured, two lines of figures for every row, the advice."""
    yield from _wrapped(_machine(hardware, threads))
    yield from _wrapped(", ".join(f"{name} {number}" for name, number in versions().items()))
    yield from _wrapped(_method(report))
    yield ""
    yield from _table(report)
    for reason, rows in report.reasons.items():
        yield from _wrapped(f"Not run: {', '.join(rows)}: {reason}")
    if report.best is None or report.advice is None:
        return
    yield from _wrapped(_article())
    yield from _wrapped(report.beside_the_article())
    yield ""
    yield from _wrapped(report.advice)


def _machine(hardware: Hardware, threads: int) -> str:
    cpu = hardware.cpu
    gpus = [f"{gpu.name} with {mebibytes(gpu.total_bytes)}" for gpu in hardware.gpus]
    return (
        f"{cpu.name}, {cpu.physical_cores} cores, {threads} threads, "
        f"{mebibytes(hardware.memory.total_bytes)} RAM, {'; '.join(gpus) or 'no GPU'}"
    )


def _method(report: Report) -> str:
    budget = report.budget
    bounds = f"{budget.runs} run{'s' if budget.runs > 1 else ''} of each size"
    if budget.runs > LEAST_RUNS:
        bounds += f" or {budget.seconds:g} s, at least {LEAST_RUNS}"
    tokens = report.measured[0].tokens if report.measured else 128
    rounds = f"{budget.rounds} round{'s' if budget.rounds > 1 else ''}"
    return (
        f"{report.model}, texts of {tokens} tokens, none twice; {bounds}, in {rounds}: in each "
        "every mode is opened anew, in shuffled order, and warmed up with "
        f"{WARMUP} calls of each size"
    )


def _table(report: Report) -> Iterator[str]:
    """Two lines of figures below each row's name and judgement."""
    if not report.measured:
        return
    figures = [line for found in report.measured for line in _figures(found)]
    header, *lines = _aligned([_COLUMNS, *figures])
    yield header
    for number, found in enumerate(report.measured):
        judgement = report.judgements[found.label]
        stand = "recommended" if judgement.recommended else "not recommended"
        if found.peer is not None:
            stand = "for comparison"
        yield from _wrapped(f"{found.label}  {stand}: {judgement.reason}", "    ")
        yield from lines[2 * number : 2 * number + 2]
    yield ""
    if any(len(line) and int(line[1]) < _SURE_P99 for line in figures):
        yield from _wrapped(
            f"p99 is interpolated: of fewer than {_SURE_P99} runs it lies between the two slowest."
        )


def _figures(found: Measurement) -> Iterator[tuple[str, ...]]:
    row = row_of(found.mode.placement)
    theirs = (None, None) if row is None else (row.one_text_ms, row.four_texts_ms)
    yield (
        "1 text",
        *_times(found.one_text),
        "",
        f"{found.load_s:.1f} s",
        amount(found.peak_ram_bytes),
        "-" if found.peak_vram_bytes is None else amount(found.peak_vram_bytes),
        _published(theirs[0]),
    )
    four = _times(found.four_texts)
    yield ("4 texts", *four, f"{found.tokens_per_s:,.0f}", "", "", "", _published(theirs[1]))


def _times(times: Times) -> tuple[str, ...]:
    return (str(times.n), *(_digits(v) for v in (times.mean, times.p50.value, times.p99.value)))


def _digits(value: float) -> str:
    """Milliseconds to three digits: more no run repeats."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _published(value: float | None) -> str:
    return "-" if value is None else f"{value:,g}"


def _article() -> str:
    parts = []
    for row in ROWS:
        four = "" if row.four_texts_ms is None else f" / {row.four_texts_ms:g}"
        vram = "" if row.vram_gb is None else f", {row.vram_gb:g} GB VRAM"
        parts.append(f"{row.name} {row.one_text_ms:g}{four} ms{vram}")
    return f"The article, 1 / 4 texts: {'; '.join(parts)}."


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the first column to the left and figures to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i else f"  {cell.ljust(width)}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        printable(text),
        _WIDTH,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
