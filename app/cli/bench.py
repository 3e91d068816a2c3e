"""`semsearch bench`: the article's table for this machine, measured."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import Context, JsonOption

if TYPE_CHECKING:
    from app.evaluation.entrant import Entrant, NotRun
    from app.evaluation.report import Report
    from app.evaluation.rounds import Budget
    from app.settings import Settings
    from indexer.embedding.hardware.machine import Hardware

RUNS, SECONDS = 100, 60.0


def bench(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Option(help="Short name, hub id or folder.", show_default="qwen3-0.6b")
    ] = None,
    modes: Annotated[
        str | None,
        typer.Option(help="For example cpu:int8,cpu:fp32.", show_default="all of this machine"),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, max=1000, help="Runs of each size, at most.")] = RUNS,
    seconds: Annotated[
        float,
        typer.Option(
            min=0, max=3600, help="For each size, at most; 10 runs are made all the same."
        ),
    ] = SECONDS,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare", help="Also transformers, accelerate and sentence-transformers themselves."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure every mode of this machine on texts of 128 tokens, and tell which to take."""
    from app.cli.bench_table import bench_lines, machine_values
    from app.cli.output import print_json, print_line
    from app.evaluation.report import versions
    from app.evaluation.rounds import Budget
    from app.threads import thread_count
    from indexer.embedding.hardware.probe import probe
    from indexer.errors import PlacementError

    start: Context = context.obj
    settings = start.settings(model=model)
    hardware = probe(settings.visible_gpus)
    entrants, missing = _entrants(modes, compare, hardware)
    report = _measure(settings, hardware, entrants, missing, Budget(runs, seconds), as_json)
    threads = thread_count(settings)
    if as_json:
        machine = machine_values(hardware, threads)
        print_json({"hardware": machine, "versions": versions(), **report.to_dict()})
    else:
        for line in bench_lines(report, hardware, threads):
            print_line(line)
    if not report.measured:
        reasons = "; ".join(f"{', '.join(m)}: {reason}" for reason, m in report.reasons.items())
        raise PlacementError(f"No mode could be measured. {reasons}")


def _entrants(
    modes: str | None, compare: bool, hardware: "Hardware"
) -> "tuple[list[Entrant], list[NotRun]]":
    """(who is measured, who cannot be); modes that were named are tried whatever the machine."""
    from app.evaluation.entrant import OURS, REFERENCES, Entrant, split
    from indexer.modes import Mode

    if modes is None:
        usable, missing = split(OURS, hardware)
    else:
        named = dict.fromkeys(Mode.parse(part.strip()) for part in modes.split(","))
        usable, missing = [Entrant(mode) for mode in named], []
    if compare:
        more = split(REFERENCES, hardware)
        usable, missing = [*usable, *more[0]], [*missing, *more[1]]
    return usable, missing


def _measure(
    settings: "Settings",
    hardware: "Hardware",
    entrants: "list[Entrant]",
    missing: "list[NotRun]",
    budget: "Budget",
    as_json: bool,
) -> "Report":
    from app.cli.progress import watch
    from app.evaluation.bench import bench as run_all
    from app.evaluation.planned import prospect
    from app.evaluation.report import Report
    from app.evaluation.rounds import rounds_of
    from app.search.models import Models
    from indexer.embedding.tokenizer import load_tokenizer

    with watch(as_json) as screen:
        # Here, with its progress, and not in silence in every child.
        models = Models(settings, screen.on_download)
        spec = models.named(settings.model)
        work = rounds_of(load_tokenizer(spec), budget)
        flags = {"home": settings.home, "model": settings.model}
        outcomes = run_all(entrants, flags, work, screen.on_bench)
        found = prospect(models, spec)
    return Report(
        spec.model,
        budget,
        [*outcomes, *missing],
        found.planned,
        max((gpu.free_bytes for gpu in hardware.gpus), default=0),
        found.smaller,
    )
