"""A plan for people, at most 80 columns wide, and for programs."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from app.cli.output import printable
from indexer.embedding.hardware.machine import Hardware
from indexer.embedding.planning.plan import (
    MemoryNeed,
    Option,
    Plan,
    Prediction,
    SmallerModel,
    Speed,
    Verdict,
)
from indexer.embedding.planning.reasons import amount
from indexer.modes import Placement

_WIDTH = 80
# Weights and batch (activations of one forward pass) lie where the mode computes.
_COLUMNS = ("", "mode", "weights", "batch", "peak RAM", "VRAM", " query", "tokens/s")
_RIGHT = frozenset({2, 3, 4, 5, 7})


def plan_lines(plan: Plan) -> Iterator[str]:
    """The machine, a row and a reason for every mode, smaller models where they help."""
    yield from _wrapped(printable(f"{plan.size.model} on {_machine(plan.hardware)}"), "")
    yield from _wrapped(_speeds(plan.hardware), "")
    for note in plan.hardware.notes:
        yield from _wrapped(f"note: {printable(note)}", "  ")
    yield ""
    rows = [_COLUMNS, *(_row(option) for option in plan.options)]
    header, *lines = _aligned(rows)
    yield header
    for option, line in zip(plan.options, lines, strict=True):
        yield line
        yield from _wrapped(printable(f"{option.verdict}: {option.reason}"), "    ")
    if plan.smaller:
        yield ""
        yield "Smaller models, each in its best mode here:"
        yield from _aligned(
            [
                ("", _named(model), *_figures(model.candidate.placement, model.prediction))
                for model in plan.smaller
            ]
        )


def _machine(hardware: Hardware) -> str:
    cpu, memory = hardware.cpu, hardware.memory
    cores = f"{cpu.physical_cores} core{'s' if cpu.physical_cores > 1 else ''}"
    if cpu.quota_cores is not None:
        cores += f" (quota {cpu.quota_cores:g})"
    text = f"{cpu.name}, {cores}, {amount(memory.total_bytes)} RAM"
    text += f", {amount(memory.usable_bytes)} free"
    for gpu in hardware.gpus:
        text += f"; {gpu.name}, {amount(gpu.total_bytes)} VRAM, {amount(gpu.free_bytes)} free"
    return text + ("" if hardware.gpus else "; no NVIDIA GPU")


def _speeds(hardware: Hardware) -> str:
    parts = []
    if (rates := hardware.rates) is not None:
        how = "measured" if rates.measured else "assumed"
        parts.append(f"{rates.fp32_flops / 1e9:,.0f} GFLOP/s fp32 ({how})")
    if hardware.torch is not None:
        parts.append(f"torch {hardware.torch.version}")
    disk = hardware.disk
    if disk is not None and disk.read_bytes_per_s is not None:
        source = "from memory, the file was cached" if disk.cached else "from disk"
        parts.append(f"weights read at {disk.read_bytes_per_s / 1e9:.1f} GB/s {source}")
    return "; ".join(parts)


def _row(option: Option) -> Sequence[str]:
    mark = "*" if option.verdict is Verdict.RECOMMENDED else ""
    figures = _figures(option.mode.placement, option.prediction)
    return mark, option.candidate.label, *figures


def _named(model: SmallerModel) -> str:
    return f"{model.name} {model.candidate.label}"


def _figures(placement: Placement, prediction: Prediction) -> Sequence[str]:
    """weights, batch, peak RAM, VRAM, query with its class, tokens/s."""
    on_gpu = placement in (Placement.GPU, Placement.OFFLOAD)
    need = prediction.vram if on_gpu else prediction.ram
    speed = prediction.speed
    return (
        amount(need.weights) if need.weights else "-",
        amount(need.activations) if need.activations else "-",
        amount(prediction.ram.peak),
        amount(prediction.vram.peak) if on_gpu else "-",
        f"{_milliseconds(speed.query_ms):>6} {speed.latency}" if speed else "     -",
        f"{speed.tokens_per_s:,.0f}" if speed else "-",
    )


def _milliseconds(value: float) -> str:
    if value >= 100_000:
        return f"{value / 1000:,.0f} s"
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(width) if i in _RIGHT else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield (cells[0] + " " + "  ".join(cells[1:])).rstrip()


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)


def plan_values(plan: Plan) -> dict[str, Any]:
    """Everything, as JSON values; sizes in bytes, times in milliseconds."""
    hardware = asdict(plan.hardware)
    hardware["cpu"]["flags"] = sorted(plan.hardware.cpu.flags)
    hardware["memory"]["usable_bytes"] = plan.hardware.memory.usable_bytes
    best = plan.recommended
    return {
        "model": plan.size.model,
        "recommended": str(best.mode) if best else None,
        "threads": plan.threads,
        "device": plan.device,
        "modes": [
            {
                "mode": str(option.mode),
                "engine": option.candidate.engine,
                "verdict": str(option.verdict),
                "reason": option.reason,
                **_prediction(option.prediction),
            }
            for option in plan.options
        ],
        "smaller": [
            {
                "model": model.name,
                "mode": str(model.candidate.mode),
                "engine": model.candidate.engine,
                **_prediction(model.prediction),
            }
            for model in plan.smaller
        ],
        "hardware": hardware,
    }


def _prediction(prediction: Prediction) -> dict[str, Any]:
    return {
        "ram": _need(prediction.ram),
        "vram": _need(prediction.vram),
        "batch_tokens": prediction.batch_tokens,
        "resident_layers": prediction.resident_layers,
        "disk_bytes": prediction.disk_bytes,
        "speed": _speed(prediction.speed) if prediction.speed else None,
    }


def _need(need: MemoryNeed) -> dict[str, int]:
    return {**asdict(need), "peak": need.peak}


def _speed(speed: Speed) -> dict[str, Any]:
    return {**asdict(speed), "latency": str(speed.latency)}
