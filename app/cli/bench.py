"""`semsearch bench`: the article's table for this machine, measured."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import Context, JsonOption

if TYPE_CHECKING:
    from app.evaluation.measurement import Measurement
    from app.evaluation.report import Report
    from indexer.embedding.hardware.machine import Hardware
    from indexer.modes import Mode

RUNS = 5


def bench(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Option(help="Short name, hub id or folder.", show_default="qwen3-0.6b")
    ] = None,
    modes: Annotated[
        str | None,
        typer.Option(help="For example cpu:int8,cpu:fp32.", show_default="all of this machine"),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, max=1000, help="Timed runs of each size.")] = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Measure every mode of this machine: time, load time and memory for texts of 128 tokens."""
    from app.cli.output import print_json
    from app.cli.progress import watch
    from app.evaluation.bench import bench as run_modes
    from app.evaluation.bench import split_modes
    from app.evaluation.report import Report, versions
    from app.search.models import Models
    from app.threads import thread_count
    from indexer.embedding.hardware.probe import probe
    from indexer.errors import PlacementError

    start: Context = context.obj
    settings = start.settings(model=model)
    hardware = probe(settings.visible_gpus)
    threads = thread_count(settings)
    wanted, missing = (_modes(modes), []) if modes else split_modes(hardware)
    with watch(as_json) as screen:
        # Here, with its progress, and not in silence in every child.
        spec = Models(settings, screen.on_download).named(settings.model)
        flags = {"home": settings.home, "model": settings.model}
        outcomes = list(run_modes(wanted, flags, runs, screen.on_bench))
    report = Report(spec.model, runs, [*outcomes, *missing])
    if as_json:
        machine = _machine(hardware, threads)
        print_json({"hardware": machine, "versions": versions(), **report.to_dict()})
    else:
        _show(report, hardware, threads)
    if not report.measured:
        reasons = "; ".join(f"{', '.join(m)}: {reason}" for reason, m in report.reasons.items())
        raise PlacementError(f"No mode could be measured. {reasons}")


def _modes(text: str) -> "list[Mode]":
    from indexer.modes import Mode

    return list(dict.fromkeys(Mode.parse(part.strip()) for part in text.split(",")))


def _machine(hardware: "Hardware", threads: int) -> dict[str, object]:
    """The machine in JSON values."""
    return {
        "cpu": hardware.cpu.name,
        "cores": hardware.cpu.physical_cores,
        "threads": threads,
        "instructions": sorted(hardware.cpu.flags),
        "ram_bytes": hardware.memory.total_bytes,
        "gpus": [{"name": gpu.name, "vram_bytes": gpu.total_bytes} for gpu in hardware.gpus],
    }


def _show(report: "Report", hardware: "Hardware", threads: int) -> None:
    from app.cli.output import print_line, printable, table
    from app.evaluation.report import versions

    print_line(_machine_line(hardware, threads))
    print_line(", ".join(f"{name} {number}" for name, number in versions().items()))
    print_line(f"{printable(report.model)}, texts of 128 tokens, medians of {report.runs} runs")
    print_line()
    head = ["Mode", "1 text", "4 texts", "Load", "RAM", "VRAM", "Article, 1 / 4"]
    for line in table([head, *(_row(found) for found in report.measured)]):
        print_line(line)
    print_line()
    for reason, modes in report.reasons.items():
        print_line(printable(f"Not run: {', '.join(modes)}: {reason}"))
    if report.measured:
        print_line(printable(report.verdict()))


def _machine_line(hardware: "Hardware", threads: int) -> str:
    from app.cli.output import mebibytes, printable

    cpu = hardware.cpu
    gpus = [f"{gpu.name} with {mebibytes(gpu.total_bytes)}" for gpu in hardware.gpus]
    return printable(
        f"{cpu.name}, {cpu.physical_cores} cores, {threads} threads, "
        f"{mebibytes(hardware.memory.total_bytes)} RAM, {'; '.join(gpus) or 'no GPU'}"
    )


def _row(found: "Measurement") -> list[str]:
    from app.cli.output import mebibytes
    from app.evaluation.article import row_of
    from app.evaluation.report import milliseconds
    from indexer.modes import Mode

    row = row_of(Mode.parse(found.mode).placement)
    theirs = "-"
    if row is not None:
        four = "-" if row.four_texts_ms is None else f"{row.four_texts_ms:g}"
        theirs = f"{row.one_text_ms:g} / {four} ms"
    return [
        found.mode,
        milliseconds(found.one_text),
        milliseconds(found.four_texts),
        f"{found.load_s:.1f} s",
        mebibytes(found.peak_rss_bytes),
        "-" if found.peak_vram_bytes is None else mebibytes(found.peak_vram_bytes),
        theirs,
    ]
