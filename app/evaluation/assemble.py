"""From what the processes said to results: measures, agreement, percentiles, comparisons."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.evaluation.apart import Reply
from app.evaluation.evaluate import Gathered, Prepared, Task
from app.evaluation.lanes.answers import VECTORS, run_file
from app.evaluation.quality.agreement import Vectors, agreement
from app.evaluation.quality.metrics import DEPTH, measured, per_query
from app.evaluation.quality.runs import Ranked, Run, without_itself, write_run
from app.evaluation.results import (
    Agreement,
    AnnRecall,
    Cell,
    CurvePoint,
    Drift,
    Indexing,
    Measure,
    Speed,
)
from app.evaluation.statistics import mean_of_rounds, mean_over_queries, times_of
from app.judging.read import Qrels
from app.search.query import Mode as Way
from indexer.modes import Placement, Precision
from indexer.types import Scan


@dataclass(frozen=True, slots=True)
class Assembled:
    """Cells, and what is said of all of them together."""

    cells: tuple[Cell, ...]
    reference: str  # label of a cell
    drift: Drift | None


def assemble(task: Task, gathered: Gathered, qrels: Qrels) -> Assembled:
    """Every cell; at least one lane was prepared."""
    first = _reference(gathered.prepared)
    values = {
        (done.lane, way, kind): per_query(qrels, _run(task, done, way, kind))
        for done in gathered.prepared
        for way in task.ways
        for kind in task.kinds
    }
    beside = gathered.visits.get((first.lane, task.kinds[0]))
    cells = []
    for done in gathered.prepared:
        for kind in task.kinds:
            is_reference = (done, kind) == (first, task.kinds[0])
            quality = {
                str(way): measured(
                    values[done.lane, way, kind],
                    None if is_reference else values[first.lane, way, task.kinds[0]],
                )
                for way in task.ways
            }
            cells.append(_cell(task, gathered, done, kind, quality, beside))
    reference = next(c for c in cells if _is_of(c, first) and c.index == task.kinds[0])
    drift = None
    if beside:
        medians = tuple(float(np.median(reply.values["search_ms"]["1"])) for reply in beside)
        drift = Drift(label=reference.label, medians_ms=medians)
    return Assembled(tuple(cells), reference.label, drift)


def _reference(prepared: Sequence[Prepared]) -> Prepared:
    """The lane that others are compared with: fp32 in this process's own hands, if it ran."""
    return min(prepared, key=_distance_from_fp32)


def _distance_from_fp32(done: Prepared) -> tuple[bool, bool, int]:
    mode = done.lane.mode
    return (
        mode.placement is Placement.REMOTE,
        mode.precision is not Precision.FP32,
        -int(done.values["dimension"]),
    )


def _is_of(cell: Cell, done: Prepared) -> bool:
    named = (done.values["model"], done.values["dimension"], str(done.lane.mode))
    return (cell.model, cell.dimension, cell.mode) == named


def _cell(
    task: Task,
    gathered: Gathered,
    done: Prepared,
    kind: Scan,
    quality: dict[str, dict[str, Measure]],
    beside: list[Reply] | None,
) -> Cell:
    values = done.values
    visits = gathered.visits.get((done.lane, kind), [])
    replies = visits or [done.reply]
    vram = [
        size
        for reply in replies
        for size in (reply.peak_vram_bytes, reply.values["peak_vram_bytes"])
        if size is not None
    ]
    return Cell(
        model=values["model"],
        dimension=values["dimension"],
        mode=str(done.lane.mode),
        index=kind,
        engine=values["engine"],
        quality=quality,
        agreement=_agreement(task, done, _reference_of(gathered.prepared, done), kind),
        ann=_ann(values) if kind is Scan.CODES else None,
        indexing=None if values["indexing"] is None else Indexing(**values["indexing"]),
        speed=_speed(visits, None if visits is beside else beside) if visits else None,
        peak_ram_bytes=max(
            max(reply.peak_ram_bytes, reply.values["peak_rss_bytes"]) for reply in replies
        ),
        peak_vram_bytes=max(vram, default=None),
    )


def _reference_of(prepared: Sequence[Prepared], done: Prepared) -> Prepared:
    """The same model at the same dimension nearest to fp32: other vectors mean other things."""
    named = (done.values["model"], done.values["dimension"])
    same = [p for p in prepared if (p.values["model"], p.values["dimension"]) == named]
    return _reference(same)


def _agreement(task: Task, done: Prepared, reference: Prepared, kind: Scan) -> Agreement | None:
    """None for the reference itself, searched exactly."""
    if Way.DENSE not in task.ways or (done is reference and kind is task.kinds[0]):
        return None
    return agreement(
        _vectors(done),
        _vectors(reference),
        _run(task, done, Way.DENSE, kind),
        _run(task, reference, Way.DENSE, task.kinds[0]),
    )


def _vectors(done: Prepared) -> Vectors:
    with np.load(done.output / VECTORS, allow_pickle=False) as held:
        keys, passages, queries = held["keys"], held["passages"], held["queries"]
    named = {key.tobytes(): vector for key, vector in zip(keys, passages, strict=True)}
    return Vectors(named, queries)


def _run(task: Task, done: Prepared, way: Way, kind: Scan) -> Run:
    """A ranking as measured: without a query's own document, down to the depth."""
    held: dict[str, list[tuple[str, float]]] = json.loads(
        (done.output / run_file(way, kind)).read_text("utf-8")
    )
    return {
        query: without_itself([Ranked(*item) for item in ranked], query, task.themselves)[:DEPTH]
        for query, ranked in held.items()
    }


def write_runs(task: Task, gathered: Gathered, folder: Path) -> None:
    """Every ranking in TREC's format, one file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for done in gathered.prepared:
        for way in task.ways:
            for kind in task.kinds:
                tag = f"{done.output.name}-{kind}-{way}"
                write_run(_run(task, done, way, kind), folder / f"{tag}.trec", tag)


def _ann(values: dict[str, Any]) -> AnnRecall:
    return AnnRecall(
        recall_10=mean_over_queries(values["ann_recalls"]),
        build_s=values["build_s"],
        index_bytes=values["index_bytes"],
        curve=tuple(
            CurvePoint(
                lists=point["effort"]["lists"],
                candidates=point["effort"]["candidates"],
                recall_10=point["recall"],
                latency_ms=point["latency_ms"],
            )
            for point in values["curve"]
        ),
    )


def _speed(visits: Sequence[Reply], beside: Sequence[Reply] | None) -> Speed:
    def blocks(of: Sequence[Reply], pick: Callable[[dict[str, Any]], Any]) -> list[list[float]]:
        return [pick(reply.values) for reply in of]

    def times(pick: Callable[[dict[str, Any]], Any]) -> Any:
        # A reference that failed in a round no longer stands beside every round.
        paired = beside is not None and len(beside) == len(visits)
        reference = blocks(beside, pick) if paired and beside is not None else None
        return times_of(blocks(visits, pick), reference)

    first = visits[0].values
    joules = [reply.values["joules_per_query"] for reply in visits]
    return Speed(
        load_s=mean_of_rounds([reply.values["load_s"] for reply in visits]),
        cold_ms=times(lambda values: [values["cold_ms"]]),
        embed_ms={int(size): times(_pick("embed_ms", size)) for size in first["embed_ms"]},
        search_ms={int(size): times(_pick("search_ms", size)) for size in first["search_ms"]},
        queries_per_s={
            int(size): mean_of_rounds([reply.values["queries_per_s"][size] for reply in visits])
            for size in first["queries_per_s"]
        },
        tokens_per_s=mean_of_rounds([reply.values["tokens_per_s"] for reply in visits]),
        passages_per_s=mean_of_rounds([reply.values["passages_per_s"] for reply in visits]),
        joules_per_query=None if None in joules else mean_of_rounds(joules),
    )


def _pick(kind: str, size: str) -> Callable[[dict[str, Any]], Any]:
    return lambda values: values[kind][size]
