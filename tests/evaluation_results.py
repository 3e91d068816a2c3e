"""Results as an evaluation writes them, made without one: known numbers with planted outcomes."""

from functools import cache
from typing import Any, Literal

import numpy as np

from app.evaluation.results import (
    Agreement,
    AnnRecall,
    Cell,
    CurvePoint,
    Data,
    Drift,
    Estimate,
    Indexing,
    Machine,
    Measure,
    NotRun,
    Results,
    Speed,
    Times,
)
from app.evaluation.statistics import mean_over_queries, paired_p

QUERIES = 200
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
CHECKSUMS = {"corpus.jsonl": "c0" * 32, "queries.jsonl": "9e" * 32, "qrels/test.tsv": "41" * 32}
_DEPTH_GAIN = {"ndcg@10": 0.0, "recall@10": 0.06, "recall@100": 0.3, "mrr@10": 0.1}
_PER_QUERY = np.random.default_rng(0).beta(1.2, 1.8, QUERIES) * 0.6


def about(value: float, share: float = 0.04) -> Estimate:
    """An estimate with an interval of this share on either side."""
    return Estimate(value=value, low=value * (1 - share), high=value * (1 + share))


def times(p50: float, ratio: float | None = None) -> Times:
    """Of 500 calls with a tail."""
    return Times(
        n=500,
        mean=p50 * 1.1,
        p50=about(p50),
        p95=about(p50 * 1.6, 0.1),
        p99=about(p50 * 2.4, 0.25),
        ratio=None if ratio is None else about(ratio, 0.02),
    )


@cache  # the intervals take time, and many tests use the same
def measure(name: str, lost: float, noise: int = 0, way_lost: float = 0.0) -> Measure:
    """Of all queries, each about this much below the reference; `noise` seeds who differs."""
    values = _PER_QUERY + _DEPTH_GAIN[name] - lost - way_lost
    if noise:
        values = values + np.random.default_rng(noise).normal(0, 0.03, QUERIES)
    values = values.clip(0, 1)
    reference = (_PER_QUERY + _DEPTH_GAIN[name] - way_lost).clip(0, 1)
    same = not lost and not noise
    return Measure(
        mean=mean_over_queries(values.tolist()),
        per_query=tuple(values.tolist()),
        difference=None if same else float(values.mean() - reference.mean()),
        p=None if same else paired_p(values.tolist(), reference.tolist()),
    )


def quality(lost: float = 0.0, noise: int = 0) -> dict[str, dict[str, Measure]]:
    """Two ways of searching; the hybrid one finds more."""
    ways = {"dense": 0.03, "hybrid": 0.0}
    return {
        way: {name: measure(name, lost, noise, less) for name in _DEPTH_GAIN}
        for way, less in ways.items()
    }


def speed(p50_ms: float, ratio: float | None = None) -> Speed:
    """Of a mode that answers in this time."""
    return Speed(
        load_s=about(0.9),
        cold_ms=times(p50_ms * 12),
        embed_ms={1: times(p50_ms * 0.8), 4: times(p50_ms * 2.5)},
        search_ms={
            clients: times(p50_ms * factor, ratio)
            for clients, factor in ((1, 1.0), (8, 4.4), (32, 18.0))
        },
        queries_per_s={1: about(1000 / p50_ms), 8: about(1800 / p50_ms), 32: about(1750 / p50_ms)},
        tokens_per_s=about(100_000 / p50_ms),
        passages_per_s=about(600 / p50_ms),
        joules_per_query=about(0.4),
    )


CURVE = tuple(
    CurvePoint(lists=lists, candidates=20 * lists, recall_10=recall, latency_ms=ms)
    for lists, recall, ms in ((2, 0.71, 0.12), (8, 0.93, 0.2), (32, 0.987, 0.5), (128, 0.998, 1.6))
)


def cell(
    mode: str,
    index: Literal["exact", "codes"] = "exact",
    *,
    p50_ms: float | None = 10.0,
    ratio: float | None = None,
    lost: float = 0.0,
    noise: int = 0,
    ram_mib: int = 400,
    **values: Any,
) -> Cell:
    """One cell; `lost` is what each query loses in every measure."""
    given: dict[str, Any] = {
        "model": MODEL,
        "dimension": 384,
        "engine": "onnx",
        "quality": quality(lost, noise),
        "ann": None
        if index == "exact"
        else AnnRecall(
            recall_10=about(0.99, 0.004), build_s=2.5, index_bytes=12 << 20, curve=CURVE
        ),
        "indexing": Indexing(
            measured="2026-11-25T10:00:00+00:00",
            documents=1400,
            passages=2100,
            tokens=300_000,
            seconds=31.0,
            model_s=29.0,
        ),
        "speed": None if p50_ms is None else speed(p50_ms, ratio),
        "peak_ram_bytes": ram_mib << 20,
    }
    return Cell(mode=mode, index=index, **(given | values))


def typical_cells() -> tuple[Cell, ...]:
    """A reference, a faster equal one, a worse one that is faster still, and indexes of each."""
    near = Agreement(
        texts=2100,
        cosine_mean=0.9991,
        cosine_min=0.98,
        query_cosine_mean=0.9985,
        query_cosine_min=0.97,
        overlap_10=0.97,
        kendall_tau=0.96,
    )
    return (
        cell("cpu:fp32", p50_ms=12.0, ram_mib=620),
        cell("cpu:fp32", "codes", p50_ms=9.0, ratio=0.75, noise=1, ram_mib=600),
        cell("cpu:int8", p50_ms=5.0, ratio=0.42, noise=2, ram_mib=410, agreement=near),
        cell(
            "cpu:int8",
            "codes",
            p50_ms=4.0,
            ratio=0.33,
            lost=0.02,
            noise=3,
            ram_mib=400,
            agreement=near,
        ),
        cell(
            "remote:fp16", p50_ms=30.0, ratio=2.5, noise=4, ram_mib=180, peak_vram_bytes=1500 << 20
        ),
        cell("cpu:int4", p50_ms=3.0, ratio=0.25, lost=0.12, noise=5, ram_mib=300),
    )


def results(*cells: Cell, **values: Any) -> Results:
    """An evaluation of these cells, or of the typical ones."""
    cells = cells or typical_cells()
    given: dict[str, Any] = {
        "started": "2026-11-25T10:00:00+00:00",
        "seconds": 754.0,
        "command": "semsearch eval beir/cranfield --modes all",
        "machine": Machine(
            cpu="A CPU of two cores",
            cores=2,
            threads=2,
            instructions=("avx2", "avx512f"),
            ram_bytes=24 << 30,
            gpus=(),
        ),
        "versions": {"semsearch": "0.2.0", "python": "3.11.7", "onnxruntime": "1.23.2"},
        "commit": "8ed4a59",
        "data": Data(
            name="cranfield",
            documents=1400,
            query_ids=tuple(str(number) for number in range(QUERIES)),
            judgements=1837,
            checksums=CHECKSUMS,
            whole_documents=False,
        ),
        "rounds": 5,
        "warmup": 10,
        "reference": cells[0].label,
        "cells": cells,
        "not_run": (NotRun(label=f"{MODEL} 384 gpu:fp16", reason="no NVIDIA GPU found"),),
        "drift": Drift(label=cells[0].label, medians_ms=(12.0, 12.2, 11.9, 12.6, 12.1)),
    }
    return Results(**(given | values))
